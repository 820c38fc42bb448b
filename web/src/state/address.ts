import type { Study } from "../data/study.ts";
import type { Store } from "./store.ts";
import { joinViews } from "../data/saved-views.ts";
import type { Variant } from "../data/labelings.ts";
import { decodeState, encodeState, variantIn } from "./links.ts";
import { type ViewState, initialState, settle } from "./view-state.ts";

/** Changes that follow each other faster than this are one step of the browser's history. */
const STEP = 900;

/** How it begins. */
export interface Begin {
  /** The fragment is not read at first. */
  unlinked: boolean;
  /** What a person keeps of the page is in the state already. */
  kept: boolean;
}

/** Keep the URL's fragment and the state the same, both ways. */
export function linkAddress(
  study: Study,
  store: Store<ViewState>,
  vary: (wanted: Variant) => void,
  { unlinked, kept }: Begin = { unlinked: false, kept: false },
  missed: () => void = () => undefined,
): () => void {
  let written = "";
  let last = 0;

  const write = () => {
    const fragment = `#${encodeState(study, store.get())}`;
    if (fragment === written) return;
    written = fragment;
    const now = Date.now();
    show(fragment, now - last > STEP);
    last = now;
  };

  const read = () => {
    if (location.hash === written) return;
    written = location.hash;
    const variant = variantIn(study.payload, location.hash);
    if (variant.labeling !== study.labeling || variant.map !== study.mapBy) {
      vary(variant);
      return;
    }
    missed();
    const linked = { ...initialState(study), ...decodeState(study, location.hash) };
    // A step back takes no note away: what is kept is removed by hand alone.
    const views = opened ? joinViews(store.get().views, linked.views) : linked.views;
    last = Date.now();
    store.set(settle(study, { ...linked, views }));
    // The link may lack what is kept, where nothing else is different.
    if (opened) write();
  };

  let opened = kept;
  if (!unlinked) read();
  opened = true;
  written = `#${encodeState(study, store.get())}`;
  // Other labels are a step of the history.
  show(written, unlinked);
  const stop = store.subscribe(write);
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
  return () => {
    stop();
    removeEventListener("popstate", read);
    removeEventListener("hashchange", read);
  };
}

/** Write the fragment, as a new step of the history or not. */
function show(fragment: string, anew: boolean): void {
  try {
    if (anew) history.pushState(null, "", fragment);
    else history.replaceState(null, "", fragment);
  } catch {
    // A document without an address of its own, such as of an iframe's srcdoc, may not change it, and
    // browsers limit how often any may: the page works without.
  }
}

/** Begin at a fragment. */
export function replaceHash(fragment: string): void {
  show(`#${fragment}`, false);
}
