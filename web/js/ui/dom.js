/** Makes elements. Text enters as text nodes; there is no way to pass HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes, listeners and children.
 * `onclick` and its like take functions; `true` sets an empty attribute, `false` and null none.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A line drawing from the table below, in the colour of the text around it; decorative. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  for (const line of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    svg.append(path);
  }
  return svg;
}

/** A button that shows only an icon; `label` is its name and its tooltip. */
export function iconButton(name, label, onclick, attributes = {}) {
  return h(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...attributes },
    icon(name),
  );
}

function setAttribute(element, name, value) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
}

const ICONS = {
  send: ["M12 19V5", "M5.5 11.5 12 5l6.5 6.5"],
  stop: ["M7 7h10v10H7z"],
  down: ["M12 5v14", "M5.5 12.5 12 19l6.5-6.5"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  left: ["M15 5l-7 7 7 7"],
  right: ["M9 5l7 7-7 7"],
  copy: ["M9 9h11v11H9z", "M5 15H4V4h11v1"],
  retry: ["M19.5 12a7.5 7.5 0 1 1-2.2-5.3L20 9", "M20 4v5h-5"],
  minus: ["M5 12h14"],
  plus: ["M12 5v14", "M5 12h14"],
  theme: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"],
  books: ["M5 4h4v16H5z", "M9 4h4v16H9z", "M14.2 5.2l3.9-1 3.7 14.6-3.9 1z"],
  open: ["M14 4h6v6", "M20 4l-9 9", "M18 14v6H4V6h6"],
  sidebar: ["M4 5h16v14H4z", "M9.5 5v14"],
  pencil: ["M5 19l1-4L16.5 4.5l3 3L9 18z", "M14 7l3 3"],
  more: ["M5.5 11.6h.8v.8h-.8z", "M11.6 11.6h.8v.8h-.8z", "M17.7 11.6h.8v.8h-.8z"],
  sliders: ["M4 8h9", "M18 8h2", "M15.5 5.5v5", "M4 16h2", "M11 16h9", "M8.5 13.5v5"],
  mic: [
    "M12 4a2.5 2.5 0 0 0-2.5 2.5v5a2.5 2.5 0 0 0 5 0v-5A2.5 2.5 0 0 0 12 4z",
    "M6 11.5a6 6 0 0 0 12 0",
    "M12 17.5V21",
  ],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  speaker: ["M5 9.5h3l4.5-4v13L8 14.5H5z", "M15.5 9a4.2 4.2 0 0 1 0 6", "M18 6.5a8 8 0 0 1 0 11"],
  up: ["M8 10.5v9", "M4.5 10.5H8l3.5-6.5a2 2 0 0 1 2 2V9.5h5l-1.5 10H4.5z"],
  thumbDown: ["M8 13.5v-9", "M4.5 13.5H8l3.5 6.5a2 2 0 0 0 2-2V14.5h5l-1.5-10H4.5z"],
  trash: ["M5 7h14", "M9.5 7V4.5h5V7", "M7 7l1 12.5h8L17 7", "M10.3 10.5v5.5", "M13.7 10.5v5.5"],
  upload: ["M12 16V5", "M7.5 9.5 12 5l4.5 4.5", "M5 15v4h14v-4"],
  zoom: ["M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13z", "M15.3 15.3 20 20", "M10.5 8v5", "M8 10.5h5"],
};
