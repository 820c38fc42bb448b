import type { Study } from "../data/study.ts";
import type { Store } from "./store.ts";
import { decodeState, encodeState } from "./links.ts";
import { type ViewState, initialState, settle } from "./view-state.ts";

/** Changes that follow each other faster than this are one step of the browser's history. */
const STEP = 900;

/** Keep the URL's fragment and the state the same, both ways. */
export function linkAddress(study: Study, store: Store<ViewState>): () => void {
  let written = "";
  let last = 0;

  const write = () => {
    const fragment = `#${encodeState(study, store.get())}`;
    if (fragment === written) return;
    written = fragment;
    const now = Date.now();
    if (now - last > STEP) history.pushState(null, "", fragment);
    else history.replaceState(null, "", fragment);
    last = now;
  };

  const read = () => {
    if (location.hash === written) return;
    written = location.hash;
    store.set(settle(study, { ...initialState(study), ...decodeState(study, location.hash) }));
  };

  read();
  written = `#${encodeState(study, store.get())}`;
  history.replaceState(null, "", written);
  const stop = store.subscribe(write);
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
  return () => {
    stop();
    removeEventListener("popstate", read);
    removeEventListener("hashchange", read);
  };
}
