/** Makes nodes like others with as few changes as possible: what is hovered, focused or selected stays itself. */

/**
 * Turn `old`, children of `parent` in a row, into `wanted`; what is more is inserted before `next`.
 * Returns the nodes that stand there now.
 */
export function patchNodes(parent, old, wanted, next) {
  for (const node of old.slice(wanted.length)) node.remove();
  return wanted.map((node, index) => {
    const known = old[index];
    if (!known) return parent.insertBefore(node, next);
    return patchNode(known, node);
  });
}

function patchNode(known, wanted) {
  if (known.isEqualNode(wanted)) return known;
  if (known.nodeType === Node.TEXT_NODE && wanted.nodeType === Node.TEXT_NODE) {
    // Text that only grows keeps its selection.
    if (wanted.data.startsWith(known.data)) known.appendData(wanted.data.slice(known.length));
    else known.data = wanted.data;
    return known;
  }
  if (known.nodeType === Node.ELEMENT_NODE && makeShell(known).isEqualNode(makeShell(wanted))) {
    patchNodes(known, [...known.childNodes], [...wanted.childNodes], null);
    return known;
  }
  known.replaceWith(wanted);
  return wanted;
}

/** The element without its children and without what a card that is open has added. */
function makeShell(node) {
  const shell = node.cloneNode(false);
  shell.removeAttribute?.("aria-describedby");
  return shell;
}
