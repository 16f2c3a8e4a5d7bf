/** Lists whose rows stay the same elements while what they show changes, so that no focus is lost. */

/**
 * @param {HTMLElement} list
 * @param {(item: object) => string} keyOf
 * @param {(key: string) => {element: HTMLElement, update: (item: object) => void}} createRow
 * @returns {(items: object[]) => void} shows these items
 */
export function createRows(list, keyOf, createRow) {
  const rows = new Map();
  return (items) => {
    const keys = new Set(items.map(keyOf));
    for (const [key, row] of rows) {
      if (keys.has(key)) continue;
      row.element.remove();
      rows.delete(key);
    }
    items.forEach((item, index) => {
      const key = keyOf(item);
      const row = rows.get(key) ?? createRow(key);
      rows.set(key, row);
      row.update(item);
      if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
    });
  };
}
