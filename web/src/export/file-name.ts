import type { Context } from "../context.ts";
import { placeName } from "../components/places.ts";

/** Most letters of what a file's name is made of. */
const LONGEST = 60;

/** What is saved by what it shows: "a-network-fc1.png". */
export function fileName({ study, store }: Context, ending: string, what = ""): string {
  const state = store.get();
  const model = study.models.length > 1 ? "" : study.payload.title;
  const parts = [model, placeName(study, state), what].map(plain).filter(Boolean);
  return `${parts.join("-") || "unknot"}.${ending}`;
}

/** Letters, digits and dashes alone: what every system takes. */
function plain(text: string): string {
  const dashed = text.normalize("NFKC").replace(/[^\p{L}\p{N}]+/gu, "-");
  return [...dashed]
    .slice(0, LONGEST)
    .join("")
    .replace(/^-+|-+$/g, "");
}
