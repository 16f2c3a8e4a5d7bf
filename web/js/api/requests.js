/** `fetch` for the page's requests; tells when the server does not know any more who asks. */

let tell = () => undefined;

/** Call `listener` whenever an answer says that nobody is logged in. */
export function whenLoggedOut(listener) {
  tell = listener;
}

/** As `fetch`. */
export async function request(address, options) {
  const response = await fetch(address, options);
  noteStatus(response.status);
  return response;
}

/** For requests that are made in another way. */
export function noteStatus(status) {
  if (status === 401) tell();
}
