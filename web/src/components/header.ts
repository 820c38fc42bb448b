import type { Context } from "../context.ts";
import { formatPercent, plural } from "../data/format.ts";
import { bdi, h } from "../dom.ts";
import { icon } from "../icons.ts";

const INTRO = "Each dot is one sample. Slide through the layers and watch the classes come apart.";

/** What the page is about, in one line, and the light switch. */
export function header(ctx: Context): HTMLElement {
  const { payload, classNames, n, models } = ctx.study;
  const facts: (Node | string)[] = [
    plural(n, "sample", "samples"),
    plural(classNames.length, "class", "classes"),
  ];
  for (const { name, accuracy } of models) {
    const share = accuracy === null ? "" : `${formatPercent(accuracy, 2)} accurate`;
    if (models.length > 1) facts.push(h("span", {}, bdi(name), share && ` ${share}`));
    else if (share) facts.push(share);
  }
  const line = h("p", { class: "facts-line" });
  facts.forEach((fact, i) => line.append(i ? " · " : "", fact));
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
    h("div", {}, h("h1", { dir: "auto" }, payload.title), line, h("p", { class: "intro" }, INTRO)),
    h("div", { class: "buttons" }, ask, light),
  );
}
