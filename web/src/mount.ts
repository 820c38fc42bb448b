import "./style/index.css";
import type { Payload } from "./data/payload.ts";
import { type Saved, pageWith, savedIn } from "./export/page.ts";
import { replaceHash } from "./state/address.ts";
import { type MountOptions, type View, build } from "./view.ts";
import { render } from "./widget.ts";

// The handles for tests, all `data-testid`, are listed in web/README.md.
export type { MountOptions, View } from "./view.ts";
export type { ViewState } from "./state/view-state.ts";
export type { Payload } from "./data/payload.ts";

const mounted = new WeakMap<HTMLElement, View>();

/** Show a payload in an element, in place of what is there. */
export function mount(root: HTMLElement, payload: Payload, options: MountOptions = {}): View {
  mounted.get(root)?.destroy();
  const view = build(root, payload, options);
  mounted.set(root, view);
  return view;
}

export default { render };

/** A page that holds `#unknot` and `#unknot-data` needs no script of its own. */
function mountPage(): void {
  const root = document.getElementById("unknot");
  const data = document.getElementById("unknot-data");
  if (!root || !data || mounted.has(root)) return;
  try {
    const text = data.textContent ?? "";
    const opening = root.cloneNode(true);
    const { views, start } = savedIn(document);
    // What was shown when the page was saved, unless a link asks for something else.
    if (start && !location.hash) replaceHash(start);
    const payload = { ...(JSON.parse(text) as Payload), views };
    const page = (saved: Saved) => pageWith(document, opening, saved);
    mount(root, payload, { deepLinks: true, bytes: text.length, page });
  } catch (error) {
    const status = root.querySelector("[role=status]");
    if (status) status.textContent = `This page could not be opened: ${String(error)}`;
    throw error;
  }
}

if (typeof document !== "undefined") mountPage();
