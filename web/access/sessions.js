/** Where somebody is logged in. */

import { formatDate, isolate, t } from "../js/i18n/index.js";
import { createButton } from "./forms.js";
import { createList, createRow } from "./lists.js";
import { call } from "./server.js";

/** In this order: most browsers name others, too. */
const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["Firefox"], ["Chrome"], ["Safari"]];
const SYSTEMS = [["Android"], ["iPhone"], ["iPad"], ["Windows"], ["Mac OS X", "macOS"], ["CrOS", "ChromeOS"], ["Linux"]];
const MAX_CHARS = 40;

/** The list, with a button to end each but the one that is used: {element, refresh}. */
export function createSessions() {
  const read = async () => (await call("GET", "/me/sessions")).sessions;
  return createList(read, drawSession, "");
}

function drawSession({ id, agent, address, created_at: since, expires_at: until, current }, act) {
  const facts = [
    current && t("sessions.this"),
    isolate(address),
    t("sessions.since", { date: formatDate(since) }),
    t("sessions.until", { date: formatDate(until) }),
  ];
  const name = nameAgent(agent);
  const end = () => act(async () => (await call("DELETE", `/me/sessions/${id}`), t("sessions.ended")));
  const button = current ? "" : createButton(t("sessions.end"), end);
  if (button) button.setAttribute("aria-label", t("sessions.endOf", { name, date: formatDate(since) }));
  return createRow(name, facts, button);
}

/** What a browser calls itself, in short. */
function nameAgent(agent) {
  const find = (known) => known.find(([mark]) => agent.includes(mark))?.at(-1);
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)];
  if (!browser) return isolate(agent.slice(0, MAX_CHARS)) || t("sessions.unknown");
  return system ? t("sessions.agent", { browser, system }) : browser;
}
