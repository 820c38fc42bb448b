import type { Context } from "../context.ts";
import { formatPercent, plural } from "../data/format.ts";
import { bdi, h } from "../dom.ts";
import { icon } from "../icons.ts";

/** What the page is about, in one line, and the light switch. */
export function header(ctx: Context): HTMLElement {
  const { payload, classNames, n, models } = ctx.study;
  const facts: (Node | string)[] = [
    plural(n, "sample", "samples"),
    plural(classNames.length, "class", "classes"),
  ];
  for (const { name, accuracy } of models) {
    const share = accuracy === null ? "" : ` ${formatPercent(accuracy, 2)} accurate`;
    if (share || models.length > 1) facts.push(h("span", {}, bdi(name), share));
  }
  const line = h("p", { class: "facts-line" });
  facts.forEach((fact, i) => line.append(i ? " · " : "", fact));
  const light = h("button", { type: "button", class: "light", "data-testid": "theme" });
  light.addEventListener("click", () => ctx.fleeting.set({ dark: !ctx.fleeting.get().dark }));
  ctx.onDestroy(
    ctx.fleeting.watch(["dark"], ({ dark }) => {
      light.replaceChildren(icon(dark ? "sun" : "moon"));
      const label = dark ? "Light ground" : "Dark ground";
      light.setAttribute("aria-label", label);
      light.title = label;
    }),
  );
  return h("header", { class: "top" }, h("div", {}, h("h1", { dir: "auto" }, payload.title), line), light);
}
