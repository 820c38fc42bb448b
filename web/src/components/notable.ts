import type { Context } from "../context.ts";
import { freshId, h } from "../dom.ts";
import { epochWords } from "./places.ts";

/** What is notable in the study, as sentences that were written with its scores. */
export function notable({ study }: Context): HTMLElement {
  const id = freshId("notable");
  // It is of the model itself, whatever epoch is shown.
  const last = study.epochs(0) ? study.epochs(0) - 1 : null;
  const when = epochWords(study, { model: 0, epoch: last });
  const lines = study.payload.summary ?? [];
  return h(
    "section",
    { class: "notable", "aria-labelledby": id, "data-testid": "notable", hidden: !lines.length },
    h("h2", { id }, ["What is notable", ...when].join(" at ")),
    h("ul", {}, ...lines.map((line) => h("li", { dir: "auto" }, line))),
  );
}
