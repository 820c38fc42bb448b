import { type Context, change } from "../context.ts";
import type { Place } from "../data/study.ts";
import { h, press } from "../dom.ts";
import { captionOf } from "../export/caption.ts";
import { icon } from "../icons.ts";
import {
  COLORS,
  OVERLAYS,
  type Overlay,
  type OwnColor,
  colors,
  columnIn,
} from "../state/view-state.ts";
import { encodeState } from "../state/links.ts";
import { sameEpoch, sameLayer } from "./series.ts";

const COLOR_NAMES: Record<OwnColor, string> = {
  class: "Class",
  prediction: "Predicted",
  hit: "Neighbors",
  correct: "Correct",
};
const COLOR_HINTS: Record<OwnColor, string> = {
  class: "Color by class",
  prediction: "Color by the class the model predicts",
  hit: "Color by the share of neighbors of the same class",
  correct: "Color by whether the prediction is right",
};
const OVERLAY_NAMES: Record<Overlay, string> = {
  hulls: "Hulls",
  peeled: "Peeled hulls",
  ellipses: "Ellipses",
  contours: "Contours",
};

export interface Actions {
  /** For a paper of some inches, or as on the screen. */
  savePng(paper: number | null): void;
  saveSvg(paper: number | null): void;
  /** Whether the address holds what is shown. */
  linked: boolean;
}

/** What the map shows, and what can be done with it. */
export function toolbar(ctx: Context, actions: Actions): HTMLElement {
  return h(
    "div",
    {
      class: ctx.study.models.length < 2 ? "toolbar of-map" : "toolbar",
      role: "group",
      "aria-label": "View",
    },
    models(ctx),
    variants(ctx, "labeling"),
    variants(ctx, "map"),
    colorButtons(ctx),
    columnChoice(ctx),
    overlayButtons(ctx),
    h("div", { class: "actions" }, compareButton(ctx), saveMenu(ctx, actions)),
  );
}

function models(ctx: Context): HTMLElement | null {
  const { study, store } = ctx;
  if (study.models.length < 2) return null;
  const buttons = study.models.map(({ name }, model) =>
    h(
      "button",
      {
        type: "button",
        "data-testid": `model-${model}`,
        onclick: () => {
          const state = store.get();
          change(ctx, {
            model,
            layer: sameLayer(study, model, state.model, state.layer),
            epoch: sameEpoch(study, model, state),
          });
        },
      },
      h("bdi", {}, name),
    ),
  );
  ctx.onDestroy(
    store.watch(["model"], (state) => buttons.forEach((b, i) => press(b, i === state.model))),
  );
  return group("Model", buttons);
}

const VARIANTS = {
  labeling: { name: "Labels", hint: "Labels that colors and scores are of" },
  map: { name: "Map by", hint: "Method that made the maps" },
} as const;

/** Which of several labelings the colors and scores are of, or which of several kinds of maps. */
function variants(ctx: Context, kind: keyof typeof VARIANTS): HTMLElement | null {
  const { payload, labeling, mapBy } = ctx.study;
  const all = kind === "map" ? payload.maps : payload.labelings;
  const { name: title, hint } = VARIANTS[kind];
  if (!all || all.length < 2) return null;
  const select = h(
    "select",
    {
      "aria-label": hint,
      "data-testid": kind === "map" ? "map-by" : "labeling",
      onchange: () => ctx.vary({ [kind]: Number(select.value) }),
    },
    ...all.map(({ name }, i) => h("option", { value: i, dir: "auto" }, name)),
  );
  select.value = String(kind === "map" ? mapBy : labeling);
  return h(
    "div",
    { class: "group", role: "group", "aria-label": title },
    h("span", { class: "group-label", "aria-hidden": "true" }, title),
    select,
  );
}

function colorButtons(ctx: Context): HTMLElement {
  const buttons = COLORS.map((color) =>
    h(
      "button",
      {
        type: "button",
        title: color === "class" && ctx.study.values ? "Color by value" : COLOR_HINTS[color],
        "data-testid": `color-${color}`,
        onclick: () => change(ctx, { color }),
      },
      color === "class" && ctx.study.values ? "Value" : COLOR_NAMES[color],
    ),
  );
  ctx.onDestroy(
    ctx.store.watch(["color", "model"], (state) => {
      const possible = colors(ctx.study, state.model);
      buttons.forEach((button, i) => {
        press(button, COLORS[i] === state.color);
        button.hidden = !possible.includes(COLORS[i] as OwnColor);
      });
    }),
  );
  return group("Color", buttons);
}

/** The columns of the metadata, to color by. */
function columnChoice(ctx: Context): HTMLElement | null {
  const { columns } = ctx.study;
  if (!columns.length) return null;
  const select = h(
    "select",
    {
      class: "of-map column-choice",
      "aria-label": "Color by a column of the metadata",
      "data-testid": "color-column",
      onchange: () => change(ctx, { color: select.value ? `@${select.value}` : "class" }),
    },
    h("option", { value: "" }, "Metadata…"),
    ...columns.map(({ name }) => h("option", { value: name, dir: "auto" }, name)),
  );
  ctx.onDestroy(
    ctx.store.watch(["color"], ({ color }) => {
      select.value = columnIn(color) ?? "";
      select.classList.toggle("chosen", select.value !== "");
    }),
  );
  return select;
}

function overlayButtons(ctx: Context): HTMLElement {
  const buttons = OVERLAYS.map((overlay) =>
    h(
      "button",
      {
        type: "button",
        "data-testid": `overlay-${overlay}`,
        onclick: () => {
          const now = ctx.store.get().overlays;
          const overlays = now.includes(overlay)
            ? now.filter((o) => o !== overlay)
            : [...now, overlay];
          change(ctx, { overlays });
        },
      },
      OVERLAY_NAMES[overlay],
    ),
  );
  const names = h(
    "button",
    {
      type: "button",
      title:
        "Name each class beside where it is densest; faint where most points around are of others",
      "data-testid": "names",
      onclick: () => change(ctx, { names: !ctx.store.get().names }),
    },
    "Names",
  );
  const shapes = h(
    "button",
    {
      type: "button",
      title: "Give each class a shape beside its color, for eyes that see colors otherwise",
      "data-testid": "shapes",
      onclick: () => change(ctx, { shapes: !ctx.store.get().shapes }),
    },
    "Shapes",
  );
  ctx.onDestroy(
    ctx.store.watch(["names", "shapes"], (state) => {
      press(names, state.names);
      press(shapes, state.shapes);
    }),
  );
  const element = group("On the map", [names, shapes, ...buttons]);
  ctx.onDestroy(
    ctx.store.watch(["overlays", "model"], (state) => {
      // Numbers have neither names nor shapes.
      element.hidden = ctx.study.values !== null;
      const layers = ctx.study.model(state.model).layers;
      buttons.forEach((button, i) => {
        const overlay = OVERLAYS[i] as Overlay;
        press(button, state.overlays.includes(overlay));
        button.hidden = overlay !== "contours" && !layers.some((layer) => layer[overlay]);
      });
    }),
  );
  return element;
}

function compareButton(ctx: Context): HTMLElement {
  const button = h(
    "button",
    {
      type: "button",
      class: "with-icon of-map",
      title: "Show a second map beside this one",
      "data-testid": "compare",
      onclick: () => {
        const state = ctx.store.get();
        const { model, layer, epoch } = state;
        change(ctx, { other: state.other ? null : beside(ctx, { model, layer, epoch }) });
      },
    },
    icon("compare"),
    "Compare",
  );
  // One map can only be compared with itself.
  const { models } = ctx.study;
  button.hidden = models.length < 2 && models.every((m) => m.layers.length < 2 && !m.epochs);
  ctx.onDestroy(ctx.store.watch(["other"], ({ other }) => press(button, other !== null)));
  return button;
}

/** What one wants to see beside a place: the other model's, the first or last layer, or an epoch. */
function beside({ study }: Context, place: Place): Place {
  const { model, layer, epoch } = place;
  if (study.models.length > 1) {
    const other = model === 0 ? 1 : 0;
    return {
      model: other,
      layer: sameLayer(study, other, model, layer),
      epoch: sameEpoch(study, other, place),
    };
  }
  const mapped = [...study.model(model).layers.keys()].filter((i) =>
    study.hasMap({ ...place, layer: i }),
  );
  const last = mapped.at(-1) ?? layer;
  // One layer is seen at its first epoch beside its last, or the other way round.
  if (mapped.length < 2 && epoch !== null)
    return { ...place, epoch: epoch > 0 ? 0 : study.epochs(model) - 1 };
  return { model, layer: last === layer ? (mapped[0] ?? layer) : last, epoch };
}

/** Widths of pictures in most journals. */
const PAPERS = [
  [3.3, "one column"],
  [6.9, "two columns"],
] as const;

function saveMenu(ctx: Context, { savePng, saveSvg, linked }: Actions): HTMLElement {
  const menu = h("details", { class: "menu of-map", "data-testid": "save-menu" });
  const copy = (text: string, what: string) => {
    const told = (done: boolean) => {
      const notice = done ? `${what} is copied.` : `${what}: ${text}`;
      ctx.fleeting.set({ notice });
    };
    // A document opened from disk, or in a frame, may have no clipboard.
    if (!navigator.clipboard) told(false);
    else
      navigator.clipboard.writeText(text).then(
        () => told(true),
        () => told(false),
      );
  };
  const mapAlone = () =>
    `${location.href.split("#")[0]}#${encodeState(ctx.study, { ...ctx.store.get(), bare: true })}`;
  const frame = () => {
    const text = (value: string) =>
      value.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
    const title = text(ctx.study.payload.title);
    return `<iframe src="${text(mapAlone())}" title="${title}" width="900" height="640" style="border: 0" allowfullscreen></iframe>`;
  };
  const entry = (id: string, text: string, save: () => void) =>
    h(
      "button",
      {
        type: "button",
        "data-testid": id,
        onclick: () => {
          menu.open = false;
          save();
        },
      },
      text,
    );
  const sizes = h(
    "select",
    { "aria-label": "Size of the picture", "data-testid": "picture-size" },
    h("option", { value: "" }, "as on the screen"),
    ...PAPERS.map(([inches, name]) =>
      h("option", { value: String(inches) }, `${name}, ${inches} in`),
    ),
  );
  const paper = () => (sizes.value ? Number(sizes.value) : null);
  menu.append(
    h("summary", { class: "with-icon" }, icon("save"), "Save"),
    h(
      "div",
      { class: "menu-body" },
      h("label", { class: "sizes" }, "Picture", sizes),
      entry("save-png", "Save as PNG", () => savePng(paper())),
      entry("save-svg", "Save as SVG", () => saveSvg(paper())),
      entry("copy-caption", "Copy a caption", () =>
        copy(captionOf(ctx.study, ctx.store.get()), "The caption"),
      ),
      linked &&
        entry("copy-link", "Copy a link to this view", () => copy(location.href, "The link")),
      linked &&
        entry("copy-map", "Copy a link to the map alone", () => copy(mapAlone(), "The link")),
      linked &&
        entry("copy-frame", "Copy a frame for another page", () => copy(frame(), "The frame")),
    ),
  );
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget as Node | null)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
  return menu;
}

function group(label: string, buttons: HTMLElement[]): HTMLElement {
  return h(
    "div",
    { class: label === "Model" ? "group" : "group of-map", role: "group", "aria-label": label },
    h("span", { class: "group-label", "aria-hidden": "true" }, label),
    h("div", { class: "segmented" }, ...buttons),
  );
}
