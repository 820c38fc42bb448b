/** What fingers and wheels do on a map, which the library that draws it does not know of. */

/** The library knows the mouse only: let one finger draw a lasso, and leave the rest to the page. */
export function followTouch(canvas: HTMLCanvasElement, active: () => boolean): () => void {
  const forward = (event: PointerEvent) => {
    if (event.pointerType !== "touch" || !event.isPrimary || !active()) return;
    const type = { pointerdown: "mousedown", pointermove: "mousemove", pointerup: "mouseup" };
    const name = type[event.type as keyof typeof type];
    const { clientX, clientY } = event;
    const target = name === "mousedown" ? canvas : window;
    target.dispatchEvent(
      new MouseEvent(name, { clientX, clientY, buttons: 1, bubbles: true, cancelable: true }),
    );
    event.preventDefault();
  };
  const types = ["pointerdown", "pointermove", "pointerup"] as const;
  for (const type of types) canvas.addEventListener(type, forward);
  return () => {
    for (const type of types) canvas.removeEventListener(type, forward);
  };
}

type Spot = [x: number, y: number];

/** Two fingers look nearer, and move the map with them. */
export function followPinch(
  canvas: HTMLCanvasElement,
  pinch: (factor: number, from: Spot, to: Spot) => void,
): () => void {
  const fingers = new Map<number, Spot>();
  const spot = ({ clientX, clientY }: PointerEvent): Spot => {
    const { left, top } = canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  };
  const pair = (): { middle: Spot; far: number } => {
    const [one, two] = [...fingers.values()] as [Spot, Spot];
    const middle: Spot = [(one[0] + two[0]) / 2, (one[1] + two[1]) / 2];
    return { middle, far: Math.hypot(one[0] - two[0], one[1] - two[1]) };
  };
  const down = (event: PointerEvent) => {
    if (event.pointerType === "touch") fingers.set(event.pointerId, spot(event));
  };
  const move = (event: PointerEvent) => {
    if (!fingers.has(event.pointerId)) return;
    const before = fingers.size === 2 ? pair() : null;
    fingers.set(event.pointerId, spot(event));
    if (!before) return;
    const now = pair();
    if (before.far > 0) pinch(now.far / before.far, before.middle, now.middle);
    event.preventDefault();
  };
  const up = (event: PointerEvent) => fingers.delete(event.pointerId);
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  for (const type of ["pointerup", "pointercancel"] as const) addEventListener(type, up);
  return () => {
    canvas.removeEventListener("pointerdown", down);
    canvas.removeEventListener("pointermove", move);
    for (const type of ["pointerup", "pointercancel"] as const) removeEventListener(type, up);
  };
}

/** The wheel scrolls the page past the map, unless the map was clicked, or Ctrl or ⌘ is held. */
export function sparePage(canvas: HTMLCanvasElement): () => void {
  let meant = false;
  const down = (event: PointerEvent) => {
    meant = event.target === canvas;
  };
  const wheel = (event: WheelEvent) => {
    if (meant || event.ctrlKey || event.metaKey) return;
    event.stopPropagation();
    canvas.dispatchEvent(new CustomEvent("spared", { bubbles: true }));
  };
  const around = canvas.parentElement;
  addEventListener("pointerdown", down, true);
  // Before the library hears of it, which would keep the page from scrolling.
  around?.addEventListener("wheel", wheel, { capture: true, passive: true });
  return () => {
    removeEventListener("pointerdown", down, true);
    around?.removeEventListener("wheel", wheel, { capture: true });
  };
}
