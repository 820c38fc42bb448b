import type { Variant } from "./data/labelings.ts";
import type { Sprites } from "./data/sprites.ts";
import type { Study } from "./data/study.ts";
import type { Store } from "./state/store.ts";
import { type ViewState, settle } from "./state/view-state.ts";

/** What passes quickly and no link restores. */
export interface Fleeting {
  hovered: number | null;
  dark: boolean;
  lasso: boolean;
  /** What is gone through by itself. */
  playing: "layer" | "epoch" | null;
  /** The help is open. */
  help: boolean;
  /** Single keys, such as "l", do something. */
  shortcuts: boolean;
  /** What went other than was asked for; "" for nothing. */
  notice: string;
  /** There is no WebGL, and no map that moves. */
  still: boolean;
}

/** What every component is given. */
export interface Context {
  study: Study;
  store: Store<ViewState>;
  fleeting: Store<Fleeting>;
  sprites: Sprites | null;
  /** How large the payload is; 0 where it is not known. */
  bytes: number;
  /** Look so many times nearer, or at the whole map. */
  zoom(factor: number | null): void;
  /** Select the points that a query finds, as the search box does. */
  find(query: string): void;
  /** Bring the map into sight, and a point of it. */
  reveal(point: number | null): void;
  /** Show another of the labelings, or another kind of maps, by its place in the list. */
  vary(wanted: Partial<Variant>): void;
  /** Show what a link's fragment says, with words above the map, and keep what a person keeps. */
  open(fragment: string, words: string): void;
  /** The name and the content of this page as a file, with what a person keeps; null where it is no file. */
  savePage: (() => [name: string, content: Blob]) | null;
  /** Say to those who listen instead of look. */
  announce(text: string): void;
  /** What waits for the next frame, to be drawn at once. */
  waiting: Set<() => void>;
  /** Run when the view is taken down. */
  onDestroy(cleanup: () => void): void;
}

/** Change the state to what fits the data. */
export function change({ study, store }: Context, wanted: Partial<ViewState>): void {
  store.set(settle(study, { ...store.get(), ...wanted }));
}

/** Draw with the next frame, however often it is asked for before. */
export function deferred(ctx: Context, draw: () => void): () => void {
  let frame = 0;
  const now = () => {
    if (!frame) return;
    cancelAnimationFrame(frame);
    frame = 0;
    draw();
  };
  ctx.waiting.add(now);
  ctx.onDestroy(() => {
    cancelAnimationFrame(frame);
    ctx.waiting.delete(now);
  });
  return () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(now);
  };
}
