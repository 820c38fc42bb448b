import type { Context } from "../context.ts";
import { formatCount, formatNumber, formatPercent, plural } from "../data/format.ts";
import { bdi, h } from "../dom.ts";
import { icon } from "../icons.ts";
import type { Study } from "../data/study.ts";
import type { ViewState } from "../state/view-state.ts";
import { savedViews } from "./saved-views.ts";
import { seriesOf } from "./series.ts";

/** What to do, where there is something to slide through. */
function intro(study: Study): string {
  const several = study.models.some(({ layers, epochs }) => layers.length > 1 || epochs);
  if (several) return study.values ? INTRO_VALUES : INTRO;
  return study.values ? "Each dot is one sample, colored by its value." : "Each dot is one sample.";
}

const INTRO = "Each dot is one sample. Slide through the layers and watch the classes come apart.";

const INTRO_VALUES =
  "Each dot is one sample, colored by its value. Slide through the layers and watch them sort.";

/** What the page is about, in one line, and the light switch. */
export function header(ctx: Context): HTMLElement {
  const { payload, classNames, n } = ctx.study;
  const facts: (Node | string)[] = [
    payload.sampled
      ? `${formatCount(n)} of ${plural(payload.sampled.of, "sample", "samples")}, drawn ${payload.values ? "at random" : "by class"}`
      : plural(n, "sample", "samples"),
  ];
  const range = payload.values?.range.map((end) => formatNumber(end));
  facts.push(
    range ? `values from ${range.join(" to ")}` : plural(classNames.length, "class", "classes"),
  );
  const { drawn } = ctx.study;
  if (drawn) facts.push(`${formatCount(drawn.length)} as dots, all as a density`);
  const all = ctx.study.samplesInAll;
  if (all) facts.push(`landmarks of ${formatCount(all)} samples, all as a density`);
  if (payload.unlabeled) facts.push(`${formatCount(payload.unlabeled)} unlabeled`);
  const line = h("p", { class: "facts-line", "data-testid": "facts" });
  const draw = (state: ViewState) => {
    const told = [...facts, ...accuracies(ctx.study, state)];
    line.replaceChildren(...told.flatMap((fact, i) => (i ? [" · ", fact] : [fact])));
  };
  ctx.onDestroy(ctx.store.watch(["model", "epoch", "other"], draw));
  const light = h("button", { type: "button", class: "round", "data-testid": "theme" });
  light.addEventListener("click", () => ctx.fleeting.set({ dark: !ctx.fleeting.get().dark }));
  ctx.onDestroy(
    ctx.fleeting.watch(["dark"], ({ dark }) => {
      light.replaceChildren(icon(dark ? "sun" : "moon"));
      const label = dark ? "Light ground" : "Dark ground";
      light.setAttribute("aria-label", label);
      light.title = label;
    }),
  );
  const ask = h(
    "button",
    {
      type: "button",
      class: "round",
      "aria-label": "Help and keys (?)",
      title: "Help and keys (?)",
      "data-testid": "help-button",
      onclick: () => ctx.fleeting.set({ help: true }),
    },
    icon("help"),
  );
  return h(
    "header",
    { class: "top" },
    h(
      "div",
      {},
      h("h1", { dir: "auto" }, payload.title),
      line,
      h("p", { class: "intro" }, intro(ctx.study)),
    ),
    h("div", { class: "buttons" }, savedViews(ctx), ask, light),
  );
}

/** How accurate each model is, at the epoch that is shown of it. */
function accuracies(study: Study, state: ViewState): (Node | string)[] {
  return seriesOf(study, state, "layers").flatMap(({ name, place }): (Node | string)[] => {
    const { accuracy } = study.moment(place);
    const share = accuracy === null ? "" : `${formatPercent(accuracy, 2)} accurate`;
    const alone = study.models.length < 2 && !study.epochs(place.model);
    if (alone) return share ? [share] : [];
    return share || study.models.length > 1
      ? [h("span", {}, bdi(name), share && `: ${share}`)]
      : [];
  });
}
