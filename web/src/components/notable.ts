import type { Context } from "../context.ts";
import type { Place, Study } from "../data/study.ts";
import { freshId, h } from "../dom.ts";
import type { ViewState } from "../state/view-state.ts";
import { epochWords } from "./places.ts";

/** What is notable in the study at the epoch shown, as sentences written with its scores. */
export function notable({ study, store, onDestroy }: Context): HTMLElement {
  const id = freshId("notable");
  const heading = h("h2", { id });
  const list = h("ul");
  const section = h(
    "section",
    { class: "notable", "aria-labelledby": id, "data-testid": "notable" },
    heading,
    list,
  );
  onDestroy(
    store.watch(["model", "epoch", "other"], (state) => {
      const places = study.models.map((_, model) => placeOf(study, state, model));
      const lines = places.flatMap((place) => study.moment(place).summary ?? []);
      heading.textContent = ["What is notable", ...whenOf(study, places)].join(" at ");
      list.replaceChildren(...lines.map((line) => h("li", { dir: "auto" }, line)));
      section.hidden = !lines.length;
    }),
  );
  return section;
}

/** Each model at the epoch that is shown of it, or at its last. */
function placeOf(study: Study, { model: shown, epoch, other }: ViewState, model: number): Place {
  if (model === shown) return { model, layer: 0, epoch };
  if (model === other?.model) return { model, layer: 0, epoch: other.epoch };
  return { model, layer: 0, epoch: study.epochs(model) ? study.epochs(model) - 1 : null };
}

/** The epochs in words, with the names of the models where there are several. */
function whenOf(study: Study, places: Place[]): string[] {
  const several = study.models.length > 1;
  const words = places.flatMap((place) =>
    epochWords(study, place).map((when) =>
      several ? `${study.model(place.model).name}'s ${when}` : when,
    ),
  );
  return words.length ? [words.join(" and ")] : [];
}
