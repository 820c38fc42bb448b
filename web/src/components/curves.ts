import { type Context, change, deferred } from "../context.ts";
import { measureTitle } from "../data/format.ts";
import { lineColors } from "../data/palette.ts";
import type { Measure } from "../data/payload.ts";
import { bdi, freshId, h, press, s } from "../dom.ts";
import { Chart } from "./chart.ts";
import { epochWords } from "./places.ts";
import { hasErrors } from "./scale.ts";
import { type Axis, type How, seriesOf } from "./series.ts";

/** Small charts of the chosen measures over the layers. */
export function curves(ctx: Context): HTMLElement {
  const { study } = ctx;
  const id = freshId("curves");
  const charts = new Map<string, Chart>();
  const grid = h("div", { class: "charts" });
  const key = h("ul", { class: "key" });
  const axes = h("div", { class: "segmented", role: "group", "aria-label": "Curves over" });
  let axis: Axis = "layers";
  const buttons = (["layers", "epochs"] as const).map((name) => {
    const button = h(
      "button",
      { type: "button", "data-testid": `axis-${name}`, onclick: () => turn(name) },
      `over ${name}`,
    );
    press(button, name === axis);
    return button;
  });
  axes.append(...buttons);
  const errors = h(
    "button",
    {
      type: "button",
      title:
        "Draw shares by the logarithm of what they lack of 1: from 0.90 to 0.99 is as far as from 0.99 to 0.999",
      "data-testid": "scale-errors",
      onclick: () => change(ctx, { errors: ctx.store.get().errors ? null : true }),
    },
    "log of errors",
  );
  const plain = h(
    "button",
    {
      type: "button",
      title: "Draw shares as they are, even those near 1",
      "data-testid": "scale-plain",
      onclick: () => change(ctx, { errors: ctx.store.get().errors === false ? null : false }),
    },
    "as they are",
  );
  const scales = h(
    "div",
    { class: "segmented", role: "group", "aria-label": "Axis of shares" },
    plain,
    errors,
  );
  scales.hidden = !study.payload.measures.some(hasErrors);
  ctx.onDestroy(
    ctx.store.watch(["errors"], (state) => {
      press(errors, state.errors === true);
      press(plain, state.errors === false);
    }),
  );
  let how: How = { less: false, depth: false };
  const turnOn = (key: keyof How, id: string, text: string, title: string) => {
    const button = h(
      "button",
      {
        type: "button",
        title,
        "data-testid": id,
        onclick: () => {
          how = { ...how, [key]: !how[key] };
          press(button, how[key]);
          legend();
          update();
        },
      },
      text,
    );
    press(button, false);
    return button;
  };
  const less = turnOn(
    "less",
    "less-untrained",
    "less untrained",
    "Draw by how much each score is above or below that of the untrained network",
  );
  less.hidden = study.models.every(({ controls }) => !controls.length);
  const depth = turnOn(
    "depth",
    "by-depth",
    "by depth",
    "Let the layers of every model stand by their depth, from its first to its last",
  );
  depth.hidden = study.models.length < 2;
  const hasEpochs = study.models.some(({ epochs }) => (epochs?.epochs.length ?? 0) > 1);
  axes.hidden = !hasEpochs;

  const heading = h("h2", { id }, "Scores over the layers");
  function turn(name: Axis): void {
    axis = name;
    legend();
    buttons.forEach((button, i) => press(button, (i === 0) === (axis === "layers")));
    update();
  }

  /** The controls that are not drawn, which leaves more room for the rest. */
  const left = new Set<string>();
  function leave(name: string): void {
    if (!left.delete(name)) left.add(name);
    legend();
    update();
  }

  function update(): void {
    const state = ctx.store.get();
    for (const name of state.measures) charts.get(name)?.update(state, axis, left, how);
  }

  const later = deferred(ctx, update);

  const choose = () => {
    const { measures } = ctx.store.get();
    for (const name of measures) {
      const measure = study.measure(name);
      if (measure && !charts.has(name)) charts.set(name, new Chart(ctx, measure));
    }
    grid.dataset["count"] = String(measures.length);
    grid.replaceChildren(...measures.flatMap((name) => charts.get(name)?.element ?? []));
    later();
  };
  const legend = () => {
    const state = ctx.store.get();
    const where =
      axis === "layers"
        ? epochWords(study, state).map((words) => `at ${words}`)
        : ["of ", bdi(study.listed(state).name)];
    const several = study.models.some(({ layers, epochs }) => layers.length > 1 || epochs);
    const over = several ? `Scores over the ${axis} ` : "Scores ";
    heading.replaceChildren(over, ...where);
    key.replaceChildren(...keyEntries(ctx, axis, left, leave, how));
  };
  ctx.onDestroy(ctx.store.watch(["measures"], choose));
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch", "other"], legend));
  ctx.onDestroy(ctx.store.subscribe(later));
  ctx.onDestroy(
    ctx.fleeting.subscribe((now, before) => {
      if (now.dark === before.dark) return;
      legend();
      later();
    }),
  );
  const observer = new ResizeObserver(later);
  observer.observe(grid);
  ctx.onDestroy(() => observer.disconnect());
  return h(
    "section",
    { class: "curves", "aria-labelledby": id, "data-testid": "curves" },
    h("div", { class: "title-row" }, heading, axes, scales, less, depth, key),
    grid,
    chooser(ctx),
  );
}

/** Which lines are whose. */
function keyEntries(
  ctx: Context,
  axis: Axis,
  left: Set<string>,
  leave: (name: string) => void,
  how: How,
): HTMLElement[] {
  const { study, store, fleeting } = ctx;
  const state = store.get();
  const series = seriesOf(study, state, axis);
  const colors = lineColors(fleeting.get().dark);
  const toggled = (name: string, dashes: string) => {
    const button = h(
      "button",
      {
        type: "button",
        "data-testid": `curve-${name}`,
        title: "Draw it, or leave it out",
        onclick: () => leave(name),
      },
      ...entry(name, "var(--muted)", dashes).childNodes,
    );
    press(button, !left.has(name));
    return h("li", {}, button);
  };
  const models = series.map(({ name }, rank) => entry(name, colors[rank] ?? colors[2], null));
  if (axis === "epochs" || how.less) return models;
  const controls = study.moment(state).controls.map(({ name }) => toggled(name, "5 3"));
  const known = study
    .moment(state)
    .layers.some(
      (layer) =>
        "unchanged" in layer || Object.values(layer.scores).some((score) => score.null !== null),
    );
  const chance = known ? [toggled("chance", "1 3")] : [];
  return [...models, ...controls, ...chance];
}

function entry(name: string, color: string, dashes: string | null): HTMLElement {
  const line = s("line", { x1: 1, y1: 4, x2: 27, y2: 4, "stroke-dasharray": dashes });
  line.style.stroke = color;
  const sample = s(
    "svg",
    { class: "line-sample", viewBox: "0 0 28 8", "aria-hidden": "true" },
    line,
  );
  return h("li", {}, sample, bdi(name));
}

/** All measures by family, each to be drawn or not. */
function chooser(ctx: Context): HTMLElement {
  const { measures } = ctx.study.payload;
  const families = new Map<string, Measure[]>();
  for (const measure of measures) {
    families.set(measure.family, [...(families.get(measure.family) ?? []), measure]);
  }
  const boxes = new Map<string, HTMLInputElement>();
  const groups = [...families].map(([family, members]) =>
    h(
      "fieldset",
      {},
      h("legend", {}, family),
      ...members.map((measure) => {
        const box = h("input", {
          type: "checkbox",
          "data-testid": `measure-${measure.name}`,
          onchange: () => {
            const now = ctx.store.get().measures;
            const next = box.checked
              ? [...now, measure.name]
              : now.filter((n) => n !== measure.name);
            change(ctx, {
              measures: measures.map(({ name }) => name).filter((n) => next.includes(n)),
            });
          },
        });
        boxes.set(measure.name, box);
        return h("label", {}, box, ` ${measureTitle(measure, measures)}`);
      }),
    ),
  );
  ctx.onDestroy(
    ctx.store.watch(["measures"], (state) => {
      for (const [name, box] of boxes) box.checked = state.measures.includes(name);
    }),
  );
  return h(
    "details",
    { class: "chooser", "data-testid": "chooser" },
    h("summary", {}, `Choose measures (${measures.length})`),
    h("div", { class: "families" }, ...groups),
  );
}
