/** Keeps the end of a growing log in view, until the person scrolls away from it. */

const NEAR_PX = 60;

/**
 * @param {HTMLElement} scroller what scrolls
 * @param {HTMLElement} content what grows inside it
 * @param {(following: boolean) => void} onChange
 */
export function followEnd(scroller, content, onChange) {
  let following = true;

  function set(next) {
    if (next === following) return;
    following = next;
    onChange(following);
  }
  const isNear = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= NEAR_PX;
  const jump = () => {
    if (following) scroller.scrollTop = scroller.scrollHeight;
  };
  // A wheel or a finger means "let me read": stop at once, before the scroll event arrives.
  const release = (event) => {
    if (event.type === "touchmove" || event.deltaY < 0) set(false);
  };
  const onScroll = () => set(isNear());

  const observer = new ResizeObserver(jump);
  observer.observe(content);
  observer.observe(scroller);
  scroller.addEventListener("wheel", release, { passive: true });
  scroller.addEventListener("touchmove", release, { passive: true });
  scroller.addEventListener("scroll", onScroll, { passive: true });
  return {
    /** Go to the end and stay there. */
    resume() {
      set(true);
      jump();
    },
    destroy() {
      observer.disconnect();
      scroller.removeEventListener("wheel", release);
      scroller.removeEventListener("touchmove", release);
      scroller.removeEventListener("scroll", onScroll);
    },
  };
}
