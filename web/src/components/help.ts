import type { Context } from "../context.ts";
import { freshId, h } from "../dom.ts";
import { icon } from "../icons.ts";

export const KEYS: [string, string][] = [
  ["← →", "one layer back, one on"],
  ["Space", "play, pause"],
  ["+ −", "nearer, farther"],
  ["0", "the whole map (or double-click it)"],
  ["L", "lasso on or off (or hold Shift and drag)"],
  ["Ctrl, Alt", "held at the end of a lasso: add to the selection, take away"],
  ["N", "names of the classes on or off"],
  ["T", "trails of the held and selected points on or off"],
  ["Esc", "leave the lasso, let a point go, clear the selection, show all points"],
  ["Enter", "on the map: hold the point nearest to its middle"],
  ["?", "this help"],
];

const WAYS: [string, string][] = [
  ["Slide", "through the layers and watch the classes come apart; the points keep their colors."],
  [
    "Point",
    "at a dot to see its sample, label, prediction and neighbors; click it to keep it in view.",
  ],
  [
    "Find",
    "points by class, text or condition, to select them: wrong, NH < 0.5, confidence > 0.9 (known to 0.002), predicted: cat, moved > 0.3 between fc1 and conv2 (as a share of the map's width), #17; several at once, or with “not” before one.",
  ],
  ["Draw", "a lasso round points: they stay selected through the layers, and can be saved."],
  ["Click", "a class, or a cell of the table of confusions, to see one class or a pair alone."],
  ["Compare", "two layers, or two models, with linked points and selections."],
  [
    "Keep",
    "what is shown, with a name and a note (the bookmark above): in the link, or in a saved copy of the page.",
  ],
];

const WORDS: [string, string][] = [
  [
    "NH",
    "Neighborhood Hit: of a point's nearest neighbors, the share that is of its own class. 1 is untangled.",
  ],
  [
    "native",
    "measured in the layer itself; on the map: in the picture of it, which loses something.",
  ],
  [
    "map KL",
    "how far the map is from the distances in the layer; t-SNE makes it as small as it can.",
  ],
  [
    "faint name",
    "where this class is densest, most points around are of other classes: it has no place of its own.",
  ],
  [
    "contours",
    "outlines of where a class is densest: the inner one holds half of its points, the outer one nine tenths.",
  ],
  [
    "log of errors",
    "shares drawn by the logarithm of what they lack of 1: from 0.90 to 0.99 is as far as from 0.99 to 0.999.",
  ],
  [
    "thin dashes",
    "in a curve: between layers of a model that stand apart on the axis of another. A gap: no value there.",
  ],
  [
    "Trail",
    "the way of a point over the maps of all layers: whole up to this one, dotted from there.",
  ],
  [
    "Labels to check",
    "most neighbors of these points are of another class, at more layers than of their own.",
  ],
  [
    "linear CKA",
    "how alike two layers are as a whole: 1 if one is the other turned and scaled, 0 if nothing is alike.",
  ],
  [
    "neighbors in common",
    "which share of a point's nearest neighbors in one layer are among those in another.",
  ],
  [
    "chance",
    "what the same measure gives where the labels are mixed at random; of a transition from layer to layer, where the samples of the layer before are.",
  ],
  ["untrained", "the same network before it has learned anything."],
];

/** What can be done here, and with which keys. */
export function help({ fleeting, onDestroy }: Context): HTMLElement {
  const single = h("input", {
    type: "checkbox",
    "data-testid": "shortcuts",
    onchange: () => fleeting.set({ shortcuts: single.checked }),
  });
  single.checked = fleeting.get().shortcuts;
  const id = freshId("help");
  const list = (items: [string, string][], key: boolean) =>
    h(
      "dl",
      {},
      ...items.map(([term, what]) =>
        h("div", {}, h("dt", {}, key ? h("kbd", {}, term) : term), h("dd", {}, what)),
      ),
    );
  const close = h(
    "button",
    {
      type: "button",
      class: "icon-only",
      "aria-label": "Close",
      title: "Close",
      onclick: () => fleeting.set({ help: false }),
    },
    icon("close"),
  );
  const dialog = h(
    "dialog",
    { class: "help", "aria-labelledby": id, "data-testid": "help" },
    h("div", { class: "title-row" }, h("h2", { id }, "How to use this page"), close),
    list(WAYS, false),
    h("h3", {}, "Words"),
    list(WORDS, false),
    h("h3", {}, "Keys"),
    list(KEYS, true),
    h(
      "label",
      { class: "hint" },
      single,
      " single letters and signs do this; without, only the arrows, Space and Esc do",
    ),
  );
  dialog.addEventListener("close", () => fleeting.set({ help: false }));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  onDestroy(
    fleeting.watch(["help"], (now) => {
      if (now.help && !dialog.open) dialog.showModal();
      else if (!now.help && dialog.open) dialog.close();
    }),
  );
  return dialog;
}
