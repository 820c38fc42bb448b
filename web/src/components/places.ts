import type { Place, Study } from "../data/study.ts";

/** "fc1", "fc1, epoch 3", or where there are several models "LeNet, fc1, epoch 3". */
export function placeName(study: Study, place: Place): string {
  const model = study.models.length > 1 ? [study.model(place.model).name] : [];
  return [...model, study.listed(place).name, ...epochWords(study, place)].join(", ");
}

/** Where something is not known: "at this layer", or "at this layer at epoch 3". */
export function hereWords(study: Study, place: Place): string {
  return ["at this layer", ...epochWords(study, place)].join(" at ");
}

/** "epoch 3", or nothing where there are no epochs. */
export function epochWords(
  study: Study,
  { model, epoch }: Pick<Place, "model" | "epoch">,
): string[] {
  if (epoch === null || !study.epochs(model)) return [];
  const name = study.epochName(model, epoch);
  return [name === "end" ? "the end of the training" : `epoch ${name}`];
}
