import { type Context, change, deferred } from "../context.ts";
import { type Decision, TAG, labelsCsv } from "../data/decisions.ts";
import { formatCount, formatPercent, plural, shorten } from "../data/format.ts";
import { type Suspect, suspects } from "../data/suspects.ts";
import { bdi, download, freshId, h, press } from "../dom.ts";
import { fileName } from "../export/file-name.ts";
import { className } from "./point-card.ts";

/** How many are shown at first, and how many more each time. */
const SHOWN = 12;

/** Labels that the neighbors speak against at several layers, to be judged one by one. */
export function suspectList(ctx: Context): HTMLElement {
  const { study, store } = ctx;
  const id = freshId("suspects");
  let count = SHOWN;
  const hint = h("p", { class: "hint" });
  const list = h("ul", { class: "suspects", "data-testid": "suspects" });
  const more = h("button", {
    type: "button",
    "data-testid": "suspects-more",
    onclick: () => {
      count += 2 * SHOWN;
      draw();
    },
  });
  const done = h("p", { class: "hint", role: "status", "data-testid": "decided" });
  const save = h(
    "button",
    {
      type: "button",
      "data-testid": "save-labels",
      onclick: () => {
        const text = labelsCsv(study, store.get().decisions);
        // The mark tells spreadsheets that the text is UTF-8.
        const blob = new Blob(["\ufeff", text], { type: "text/csv" });
        download(fileName(ctx, "csv", "labels"), blob);
      },
    },
    "Save labels.csv",
  );
  const clear = h(
    "button",
    {
      type: "button",
      "data-testid": "clear-labels",
      onclick: () => change(ctx, { decisions: {} }),
    },
    "Forget all",
  );
  const element = h(
    "details",
    { class: "suspect-place", "data-testid": "suspect-place" },
    h("summary", {}, h("h2", { id }, "Labels to check")),
    hint,
    list,
    more,
    h("div", { class: "buttons" }, done, save, clear),
  );
  element.hidden = study.values !== null;
  // With a link that decides, the list is what one comes for.
  element.open = Object.keys(store.get().decisions).length > 0;
  list.addEventListener("keydown", (event) => onKey(ctx, list, event));
  const draw = () => {
    const state = store.get();
    const decided = Object.values(state.decisions);
    done.textContent = decided.length
      ? `${plural(decided.length, "label", "labels")} judged; kept in the link.`
      : "";
    save.disabled = clear.disabled = decided.length === 0;
    if (!element.open) return;
    const { found, layers, overlap } = suspects(study, state);
    const many = overlap ? "So many that the classes rather overlap. " : "";
    hint.textContent = found.length
      ? `${plural(found.length, "point", "points")} most of whose ten nearest neighbors are of one other class at half of ${plural(layers, "layer", "layers")} or more, at most layers first. ${many}` +
        "Keys on a point: K keeps its label, R gives it the other, T writes a tag, ↓ and ↑ go on and back."
      : layers
        ? `No point has most of its nearest neighbors in one other class at half of ${plural(layers, "layer", "layers")} or more.`
        : "Neighbors are known of too few layers.";
    const shown = found.slice(0, count);
    const active = document.activeElement as HTMLElement | null;
    const focused = active?.dataset?.["testid"];
    const typed = active instanceof HTMLInputElement && list.contains(active) ? active : null;
    list.replaceChildren(
      ...shown.map((each) => item(ctx, each, layers, state.decisions[each.point])),
    );
    more.hidden = found.length <= count;
    more.textContent = `Show more of ${formatCount(found.length)}`;
    if (!focused) return;
    const again = list.querySelector<HTMLElement>(`[data-testid="${CSS.escape(focused)}"]`);
    again?.focus({ preventScroll: true });
    // What is being typed goes on in the row that was made anew.
    if (typed && again instanceof HTMLInputElement) {
      again.value = typed.value;
      again.setSelectionRange(typed.selectionStart, typed.selectionEnd);
    }
  };
  const later = deferred(ctx, draw);
  element.addEventListener("toggle", later);
  ctx.onDestroy(store.watch(["model", "epoch", "decisions"], later));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && later()));
  return element;
}

function decide({ store, study }: Context, point: number, wanted: Partial<Decision>): void {
  const { decisions } = store.get();
  const now = { ...(decisions[point] ?? { label: null, tag: "" }), ...wanted };
  // The same again takes it back.
  if (wanted.label !== undefined && wanted.label === decisions[point]?.label) now.label = null;
  const next = { ...decisions, [point]: now };
  if (now.label === null && !now.tag) Reflect.deleteProperty(next, point);
  change({ store, study } as Context, { decisions: next });
}

function onKey(ctx: Context, list: HTMLElement, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const from = event.target as HTMLElement;
  const row = from.closest<HTMLElement>("li");
  if (!row || from.matches("input, select")) return;
  const point = Number(row.dataset["point"]);
  const go = (next: Element | null) =>
    (next?.querySelector("button") as HTMLElement | null)?.focus();
  const key = event.key.toLowerCase();
  if (key === "k") decide(ctx, point, { label: ctx.study.labels[point] as number });
  else if (key === "r") decide(ctx, point, { label: Number(row.dataset["other"]) });
  else if (key === "t") row.querySelector("input")?.focus();
  else if (key === "arrowdown") go(row.nextElementSibling);
  else if (key === "arrowup") go(row.previousElementSibling);
  else return;
  event.preventDefault();
  event.stopPropagation();
  // The row may have been made anew.
  if (key === "k" || key === "r")
    list.querySelector<HTMLElement>(`li[data-point="${point}"] button`)?.focus();
}

function item(
  ctx: Context,
  suspect: Suspect,
  layers: number,
  decision: Decision | undefined,
): HTMLElement {
  const { study, sprites } = ctx;
  const { point, class: other, votes, share, confidence } = suspect;
  const own = study.labels[point] as number;
  const snippet = study.payload.snippets?.[point];
  const sample = `Sample ${study.sampleOf(point)}`;
  const model = confidence > 0 ? `; the model agrees, ${formatPercent(confidence, 0)} sure` : "";
  const toggle = (name: string, text: Node | string, label: number, title: string) => {
    const button = h(
      "button",
      {
        type: "button",
        title,
        "aria-label": `${sample}: ${title}`,
        "data-testid": `${name}-${point}`,
        onclick: () => decide(ctx, point, { label }),
      },
      text,
    );
    press(button, decision?.label === label);
    return button;
  };
  const select = h(
    "select",
    {
      "aria-label": `${sample}: another class`,
      "data-testid": `class-${point}`,
      onchange: () => decide(ctx, point, { label: Number(select.value) }),
    },
    h("option", { value: "" }, "other…"),
    ...study.classNames.map((name, i) => h("option", { value: i, dir: "auto" }, name)),
  );
  const chosen = decision?.label ?? null;
  select.value = chosen !== null && chosen !== own && chosen !== other ? String(chosen) : "";
  const tag = h("input", {
    type: "text",
    placeholder: "tag",
    maxlength: TAG,
    dir: "auto",
    "aria-label": `${sample}: tag`,
    "data-testid": `tag-${point}`,
    onchange: () => decide(ctx, point, { tag: tag.value.trim() }),
    // What was typed into the row before this one changes nothing here.
    onblur: () => {
      const text = tag.value.trim();
      if (text !== (ctx.store.get().decisions[point]?.tag ?? "")) decide(ctx, point, { tag: text });
    },
  });
  tag.value = decision?.tag ?? "";
  const look = h(
    "button",
    {
      type: "button",
      class: "look",
      title: `${sample}: hold this point on the map`,
      "data-testid": `suspect-${point}`,
      onclick: () => {
        change(ctx, { focus: point });
        ctx.reveal(point);
      },
    },
    sprites?.thumb(point, 72) ??
      h("span", { class: "snippet" }, bdi(shorten(snippet ?? sample, 140))),
    h("span", { class: "spoken" }, sample),
  );
  return h(
    "li",
    { "data-point": point, "data-other": other, class: decision ? "judged" : null },
    look,
    h(
      "div",
      {},
      h("p", {}, className(ctx, own), " rather ", className(ctx, other)),
      h(
        "p",
        { class: "hint" },
        `at ${votes} of ${layers} layers, ${formatPercent(share, 0)} of its neighbors there${model}`,
      ),
      h(
        "div",
        { class: "judge" },
        toggle("keep", "Keep", own, "The label is right (K)"),
        toggle("relabel", "Relabel", other, `It is ${study.classNames[other] ?? ""} (R)`),
        select,
        tag,
      ),
    ),
  );
}
