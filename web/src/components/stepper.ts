import { shortenMiddle } from "../data/format.ts";
import { type Block, blocksOf } from "../data/names.ts";
import { bdi, h } from "../dom.ts";
import { textWidth } from "../map/names.ts";

export interface Step {
  name: string;
  /** As it stands under its tick. */
  short: string;
  /** Nothing to see there. */
  grayed: boolean;
  /** A remark for pointer and reader, such as what it is a view of. */
  remark: string | null;
}

export interface StepperOptions {
  /** For tests and styles: "layer", "other-layer", "epoch". */
  id: string;
  label: string;
  steps: Step[];
  onStep(index: number): void;
}

/** Room for a name under its tick, in pixels: of a letter, between names, and at most. */
const LETTER = 7.4;
const GAP = 10;
const MOST = 96;
const ROWS = 3;
/** Pixels of a name under a tick, and the narrowest block that has a name. */
const SIZE = 13;
const NARROWEST = 30;

/** A slider over named steps, each of which has a tick that can be clicked. */
export class Stepper {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  private readonly options: StepperOptions;
  private readonly ticks: HTMLButtonElement[];
  private readonly observer: ResizeObserver;
  private readonly longest: number;
  private readonly blocks: Block[];
  private readonly bands: HTMLElement;
  /** The name of what is shown, where there is no room for others. */
  private readonly here = h("p", { class: "here-name", "aria-hidden": "true" });
  private value = 0;
  /** Pixels of the slider, as if its names were of their usual size; 0 before it is shown. */
  private width = 0;
  /** How many times their usual size the names have, which the style says. */
  private large = 1;
  /** Where it begins in its element. */
  private inset = 0;

  constructor(options: StepperOptions) {
    this.options = options;
    const { id, label, steps, onStep } = options;
    const texts = steps.map(({ short }) => shortenMiddle(short, MOST - GAP, tickWidth));
    this.longest = Math.max(0, ...texts.map((text) => [...text].length));
    this.blocks = blocksOf(steps.map(({ short }) => short));
    this.input = h("input", {
      type: "range",
      min: "0",
      max: String(Math.max(0, steps.length - 1)),
      step: "1",
      "aria-label": label,
      "data-testid": `${id}-slider`,
      oninput: () => onStep(Number(this.input.value)),
    });
    this.input.disabled = steps.length < 2;
    this.ticks = steps.map(({ name, grayed, remark }, i) =>
      h(
        "button",
        {
          type: "button",
          class: `tick${grayed ? " grayed" : remark ? " view" : ""}`,
          tabindex: "-1",
          "aria-hidden": "true",
          "data-testid": `${id}-tick-${i}`,
          title: remark ? `${name} (${remark})` : name,
          onclick: () => {
            onStep(i);
            // A tick is not to be pressed again by the space bar.
            this.input.focus({ preventScroll: true });
          },
        },
        bdi(texts[i] ?? name),
      ),
    );
    const row = h("div", { class: "ticks" }, ...this.ticks);
    this.bands = h("div", { class: "blocks", "aria-hidden": "true", hidden: true });
    this.element = h("div", { class: "stepper" }, this.input, row, this.here, this.bands);
    this.element.style.setProperty("--steps", String(steps.length));
    this.observer = new ResizeObserver(() => {
      this.large = Number(getComputedStyle(row).getPropertyValue("--large")) || 1;
      this.width = row.clientWidth / this.large;
      this.inset = row.offsetLeft;
      this.thin();
    });
    this.observer.observe(row);
  }

  set(value: number): void {
    const { steps, label } = this.options;
    this.value = value;
    const step = steps[value];
    this.input.value = String(value);
    const remark = step?.remark ? `, ${step.remark}` : "";
    this.input.setAttribute(
      "aria-valuetext",
      `${step?.name ?? ""}, ${value + 1} of ${steps.length}${remark}`,
    );
    this.input.setAttribute("aria-label", label);
    this.ticks.forEach((tick, i) => tick.classList.toggle("current", i === value));
    this.thin();
  }

  destroy(): void {
    this.observer.disconnect();
  }

  /** Names stand on as few rows as they need; where three are too few, blocks do, or some names. */
  private thin(): void {
    const { width } = this;
    if (!width) return;
    const cell = width / Math.max(1, this.ticks.length);
    const rows = rowsFor(
      this.options.steps.map(({ short }) => short),
      cell,
    );
    const blocks = !rows && this.blocks.length > 0;
    const every = rows
      ? 1
      : Math.max(1, Math.ceil(Math.min(MOST, this.longest * LETTER + GAP) / Math.max(1, cell)));
    this.ticks.forEach((tick, i) => {
      const near = every > 1 && i !== this.value && Math.abs(i - this.value) < every;
      tick.classList.toggle("bare", blocks || near || (i % every !== 0 && i !== this.value));
      tick.style.setProperty("--row", String(rows ? i % rows : 0));
    });
    this.element.classList.toggle("rows", (rows ?? 1) > 1);
    this.element.classList.toggle("blocked", blocks);
    this.element.style.setProperty("--rows", String(rows ?? 1));
    this.element.style.setProperty(
      "--room",
      `${this.large * Math.max(cell * (rows ?? every), MOST)}px`,
    );
    this.here.hidden = this.bands.hidden = !blocks;
    if (blocks) this.band(width, cell);
  }

  /** The blocks under the slider, and over them what is shown. */
  private band(width: number, cell: number): void {
    const { steps, onStep } = this.options;
    const { blocks, here, bands, value, large } = this;
    here.replaceChildren(bdi(shortenMiddle(steps[value]?.short ?? "", width, tickWidth)));
    const own = here.offsetWidth / large;
    const left = Math.max(0, Math.min(width - own, (value + 0.5) * cell - own / 2));
    here.style.left = `${this.inset + large * left}px`;
    const room = ({ start, end }: Block) => (end - start) * cell - 6;
    const whole = blocks.every((block) => tickWidth(block.name) <= room(block));
    const common = whole ? "" : commonWord(blocks.map(({ name }) => name));
    bands.replaceChildren(
      ...blocks.map((block) => {
        const { name, start, end } = block;
        const short = name.startsWith(common) && name !== common ? name.slice(common.length) : name;
        const fits = room(block) >= Math.min(NARROWEST, tickWidth(short));
        const text = fits ? shortenMiddle(short, room(block), tickWidth) : "";
        const band = h(
          "span",
          {
            class: value >= start && value < end ? "current" : null,
            title: name,
            onclick: () => onStep(start),
          },
          bdi(text),
        );
        band.style.flexGrow = String(end - start);
        return band;
      }),
    );
  }
}

/** The letters that most names begin with, such as "block" of "block0" to "block19". */
export function commonWord(names: string[]): string {
  const words = names.map((name) => /^[\p{L}_]+(?=\d)/u.exec(name)?.[0] ?? "");
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const [best, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
  return 2 * count > names.length ? best : "";
}

function tickWidth(text: string): number {
  return textWidth(text, SIZE, 400);
}

/** On how many rows names stand in turn, so that none runs into the next of its row; null for too many. */
export function rowsFor(names: string[], cell: number): number | null {
  const widths = names.map((name) => Math.min(MOST, [...name].length * LETTER + GAP));
  const last = names.length - 1;
  for (let rows = 1; rows <= ROWS; rows++) {
    /** The left edge of a name; on several rows the first and the last keep within the slider. */
    const left = (i: number) => {
      const width = widths[i] as number;
      if (rows > 1 && i === 0) return -GAP / 2;
      if (rows > 1 && i === last) return names.length * cell - width + GAP / 2;
      return (i + 0.5) * cell - width / 2;
    };
    const free = widths.every(
      (width, i) => i + rows > last || left(i) + width <= left(i + rows) + 0.01,
    );
    if (free) return rows;
  }
  return null;
}
