/**
 * The turns of a conversation as a tree. A question that is edited or asked again becomes a sibling of the
 * one before, under the same parent; one child of each turn is the chosen one. Pure.
 *
 * Turns are listed in the order in which they were asked, each after its parent; a first question has the parent "".
 */

/** The turns from the first question to the last along the chosen children; where none is chosen, the newest. */
export function findBranch(turns, chosen) {
  const children = groupByParent(turns);
  const branch = [];
  for (let found = children.get(""); found; found = children.get(branch.at(-1).id)) {
    const parent = branch.at(-1)?.id ?? "";
    branch.push(found.find((turn) => turn.id === chosen[parent]) ?? found.at(-1));
  }
  return branch;
}

/** The versions of a turn, itself among them, oldest first. */
export function findSiblings(turns, { parent }) {
  return turns.filter((turn) => turn.parent === parent);
}

/** The turns before `turn`, from the first one on. */
export function findPath(turns, turn) {
  const byId = new Map(turns.map((known) => [known.id, known]));
  const path = [];
  for (let at = byId.get(turn.parent); at; at = byId.get(at.parent)) path.unshift(at);
  return path;
}

function groupByParent(turns) {
  const groups = new Map();
  for (const turn of turns) {
    if (!groups.has(turn.parent)) groups.set(turn.parent, []);
    groups.get(turn.parent).push(turn);
  }
  return groups;
}
