/** Keeps the end of a growing log in view while an answer is written, until the person scrolls away. */

const NEAR_PX = 60;
/** After a jump to the end, what is laid out only now may still grow. */
const SETTLE_MS = 500;

/**
 * @param {HTMLElement} scroller what scrolls
 * @param {HTMLElement} content what grows inside it
 * @param {{isGrowing: () => boolean, onChange: (following: boolean) => void}} hooks
 */
export function followEnd(scroller, content, { isGrowing, onChange }) {
  let following = true;
  let last = 0;
  let settling = false;
  let timer = 0;

  function set(next) {
    if (next === following) return;
    following = next;
    onChange(following);
  }
  const isNear = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= NEAR_PX;
  const jump = () => {
    scroller.scrollTop = scroller.scrollHeight;
  };
  // What grows after the answer (the sources, a list that is opened) must not move what is being read.
  const onGrowth = () => {
    if (following && (settling || isGrowing())) jump();
    else set(isNear());
  };
  // A wheel or a finger means "let me read": stop at once, before the scroll event arrives.
  const release = (event) => {
    if (event.type === "touchmove" || event.deltaY < 0) set(false);
    settling = false;
  };
  // Only going up lets go: the text may have grown since the jump that this event reports.
  const onScroll = () => {
    if (isNear()) set(true);
    else if (scroller.scrollTop < last) set(false);
    last = scroller.scrollTop;
  };

  const observer = new ResizeObserver(onGrowth);
  observer.observe(content);
  observer.observe(scroller);
  scroller.addEventListener("wheel", release, { passive: true });
  scroller.addEventListener("touchmove", release, { passive: true });
  scroller.addEventListener("scroll", onScroll, { passive: true });
  return {
    /** Go to the end and stay there. */
    resume() {
      settling = true;
      clearTimeout(timer);
      timer = setTimeout(() => (settling = false), SETTLE_MS);
      set(true);
      jump();
    },
    /** Call `insert`, which adds something above what is in view, so that what is in view stays where it is. */
    holdStill(insert) {
      // At its very top a scroller keeps nothing in its place.
      if (CSS.supports("overflow-anchor", "auto") && scroller.scrollTop > 0) return insert();
      const below = scroller.scrollHeight - scroller.scrollTop;
      insert();
      const above = scroller.scrollHeight - below;
      if (above !== scroller.scrollTop) scroller.scrollTop = above;
    },
    destroy() {
      clearTimeout(timer);
      observer.disconnect();
      scroller.removeEventListener("wheel", release);
      scroller.removeEventListener("touchmove", release);
      scroller.removeEventListener("scroll", onScroll);
    },
  };
}
