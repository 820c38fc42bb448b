import type { Context } from "../context.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";

/** What went other than was asked for, such as a link to a layer that is not here. */
export function notice({ fleeting, onDestroy }: Context): HTMLElement {
  const words = h("span", { dir: "auto" });
  const close = h(
    "button",
    {
      type: "button",
      class: "icon-only",
      "aria-label": "Close this notice",
      onclick: () => fleeting.set({ notice: "" }),
    },
    icon("close"),
  );
  const element = h(
    "p",
    { class: "notice", role: "status", "data-testid": "notice" },
    words,
    close,
  );
  onDestroy(
    fleeting.watch(["notice"], ({ notice: text }) => {
      element.hidden = !text;
      words.textContent = text;
    }),
  );
  return element;
}
