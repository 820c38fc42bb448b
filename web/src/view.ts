import type { Context, Fleeting } from "./context.ts";
import { change } from "./context.ts";
import { about } from "./components/about.ts";
import { announceLayers } from "./components/announcer.ts";
import { curves } from "./components/curves.ts";
import { finder } from "./components/finder.ts";
import { follow } from "./components/follow.ts";
import { header } from "./components/header.ts";
import { heatmap } from "./components/heatmap.ts";
import { held } from "./components/held.ts";
import { help } from "./components/help.ts";
import { listenForKeys } from "./components/keys.ts";
import { notable } from "./components/notable.ts";
import { notice } from "./components/notice.ts";
import { legend } from "./components/legend.ts";
import { reading } from "./components/reading.ts";
import { selected } from "./components/selected.ts";
import { similarity } from "./components/similarity.ts";
import { Stage } from "./components/stage.ts";
import { suspectList } from "./components/suspects.ts";
import { table } from "./components/table.ts";
import { toolbar } from "./components/toolbar.ts";
import { worst } from "./components/worst.ts";
import { type Variant, variantOf } from "./data/labelings.ts";
import type { Payload } from "./data/payload.ts";
import { Sprites } from "./data/sprites.ts";
import { Study } from "./data/study.ts";
import { listOf } from "./data/format.ts";
import { download, h } from "./dom.ts";
import { captionOf } from "./export/caption.ts";
import { toPng } from "./export/png.ts";
import { sceneOf } from "./export/scene.ts";
import { fileName } from "./export/file-name.ts";
import type { Saved } from "./export/page.ts";
import { toSvg } from "./export/svg.ts";
import { followPrint } from "./print.ts";
import { linkAddress } from "./state/address.ts";
import { decodeState, encodeState, missingIn, variantIn } from "./state/links.ts";
import { Store } from "./state/store.ts";
import { type ViewState, initialState, settle } from "./state/view-state.ts";

export interface MountOptions {
  /** What to show first. */
  state?: Partial<ViewState>;
  /** Called after every change. */
  onState?: (state: ViewState) => void;
  /** Keep the state in the URL's fragment, and take the keys of the whole document. */
  deepLinks?: boolean;
  /** How large the payload is. */
  bytes?: number;
  /** What is said above the map at first. */
  notice?: string;
  /** The page as a file, with what is saved in it. */
  page?: (saved: Saved) => string;
  /** The fragment is not read at first: it is of what was shown before. */
  unlinked?: boolean;
}

export interface View {
  setState(change: Partial<ViewState>): void;
  getState(): ViewState;
  destroy(): void;
}

interface Built extends View {
  /** Say something above the map, until it is closed; "" for nothing. */
  tell(text: string): void;
}

/** What a fragment names and the page does not have, as a sentence; "" for nothing. */
function missed(study: Study, fragment: string): string {
  const what = missingIn(study, fragment);
  return what.length ? `This page has no ${listOf(what)}.` : "";
}

/** Build the whole view inside an element, and again whenever other labels are asked for. */
export function build(root: HTMLElement, payload: Payload, options: MountOptions): View {
  const hash = options.deepLinks ? location.hash : "";
  let view = show(variantIn(payload, hash), options);

  function show(variant: Variant, wanted: MountOptions): Built {
    const vary = (change: Partial<Variant>) => {
      const next = { ...variant, ...change };
      const linked = variantIn(payload, options.deepLinks ? location.hash : "");
      const fromLink = linked.labeling === next.labeling && linked.map === next.map;
      const state = view.getState();
      const {
        model,
        layer,
        epoch,
        other,
        overlays,
        names,
        shapes,
        trails,
        selection,
        focus,
        only,
        onlyBy,
        views,
      } = state;
      const place = {
        ...{ model, layer, epoch, other, overlays, names, shapes, trails },
        ...{ selection, focus, only, onlyBy, views },
      };
      // Other labels have other classes and scores; other maps are only looked at differently.
      const kept = next.labeling === variant.labeling ? { ...state, zoom: null } : place;
      view.destroy();
      // A link says all by itself; a choice keeps the place.
      view = show(next, { ...options, state: fromLink ? { views } : kept, unlinked: !fromLink });
      const chosen = next.labeling === variant.labeling ? "map-by" : "labeling";
      root.querySelector<HTMLElement>(`[data-testid="${chosen}"]`)?.focus();
    };
    const study = new Study(variantOf(payload, variant), variant);
    const open = (fragment: string, words: string) => {
      const next = variantIn(payload, fragment);
      const { views, decisions, bare } = view.getState();
      const shown = (of: Study) => ({ ...initialState(of), ...decodeState(of, fragment) });
      const notice = (of: Study) => [words, missed(of, fragment)].filter(Boolean).join(" ");
      if (next.labeling === variant.labeling && next.map === variant.map) {
        view.setState({ ...shown(study), views, decisions, bare });
        view.tell(notice(study));
        return;
      }
      const other = new Study(variantOf(payload, next), next);
      const kept = next.labeling === variant.labeling ? { decisions } : {};
      view.destroy();
      const state = { ...shown(other), ...kept, views, bare };
      view = show(next, { ...options, state, unlinked: true, notice: notice(other) });
    };
    return buildOne(root, study, wanted, vary, open);
  }

  return {
    setState: (wanted) => view.setState(wanted),
    getState: () => view.getState(),
    destroy: () => view.destroy(),
  };
}

/** Build the view of one labeling. */
function buildOne(
  root: HTMLElement,
  study: Study,
  options: MountOptions,
  vary: (wanted: Partial<Variant>) => void,
  open: (fragment: string, words: string) => void,
): Built {
  const { payload } = study;
  const cleanups: (() => void)[] = [];
  const live = h("p", { class: "live", "aria-live": "polite", "data-testid": "live" });
  const ctx: Context = {
    study,
    store: new Store<ViewState>(settle(study, { ...initialState(study), ...options.state })),
    fleeting: new Store<Fleeting>({
      hovered: null,
      dark: prefersDark(),
      lasso: false,
      playing: null,
      help: false,
      shortcuts: true,
      notice: options.notice ?? "",
      still: false,
    }),
    sprites: payload.thumbnails ? new Sprites(payload.thumbnails) : null,
    bytes: options.bytes ?? 0,
    zoom: (factor) => stage.zoom(factor),
    find: () => undefined,
    reveal: (point) => stage.reveal(point),
    vary,
    open,
    savePage: null,
    announce: (text) => {
      live.textContent = text;
    },
    waiting: new Set(),
    onDestroy: (cleanup) => cleanups.push(cleanup),
  };
  if (options.deepLinks) {
    const told = () => ctx.fleeting.set({ notice: missed(study, location.hash) });
    const begin = { unlinked: options.unlinked ?? false, kept: options.state?.views !== undefined };
    cleanups.push(linkAddress(study, ctx.store, vary, begin, told));
  }

  const { page: pageOf } = options;
  if (pageOf)
    ctx.savePage = () => {
      const { views } = ctx.store.get();
      const start = encodeState(study, { ...ctx.store.get(), views: study.payload.views ?? [] });
      const page = pageOf({ views, start });
      return [fileName(ctx, "html", "with-notes"), new Blob([page], { type: "text/html" })];
    };

  const stage: Stage = new Stage(ctx);
  const margin = h(
    "div",
    { class: "margin" },
    finder(ctx),
    reading(ctx),
    selected(ctx),
    held(ctx),
    legend(ctx),
  );
  const desk = h("div", { class: "desk" }, stage.element, margin);
  // What was just held or selected stands above what may have been scrolled to.
  ctx.onDestroy(ctx.store.watch(["focus", "selection"], () => margin.scrollTo?.({ top: 0 })));
  ctx.onDestroy(
    ctx.store.watch(["other"], ({ other }) => desk.classList.toggle("comparing", other !== null)),
  );
  // Paper is white.
  const scene = (paper: number | null) =>
    sceneOf(
      study,
      ctx.store.get(),
      ctx.fleeting.get().dark && paper === null,
      stage.looks(),
      paper,
    );
  const save = {
    savePng: (paper: number | null) =>
      void toPng(scene(paper)).then((blob) => download(fileName(ctx, "png"), blob)),
    saveSvg: (paper: number | null) => {
      const svg = toSvg(scene(paper), captionOf(study, ctx.store.get()));
      download(fileName(ctx, "svg"), new Blob([svg], { type: "image/svg+xml" }));
    },
    linked: options.deepLinks ?? false,
  };
  const page = h(
    "div",
    { class: "unknot", "data-testid": "unknot" },
    header(ctx),
    notice(ctx),
    h(
      "main",
      {},
      toolbar(ctx, save),
      desk,
      curves(ctx),
      notable(ctx),
      h("div", { class: "knots", hidden: study.values !== null }, heatmap(ctx), worst(ctx)),
      follow(ctx),
      similarity(ctx),
      suspectList(ctx),
      table(ctx),
      about(ctx),
    ),
    help(ctx),
    live,
  );
  ctx.onDestroy(
    ctx.store.watch(["bare"], ({ bare }) => {
      page.classList.toggle("bare", bare);
    }),
  );
  ctx.onDestroy(followTheme(ctx, page, options.deepLinks ?? false));
  root.replaceChildren(page);
  stage.start();
  ctx.onDestroy(followPrint(ctx, stage.picture, () => stage.looks()));
  ctx.onDestroy(
    ctx.fleeting.watch(["still"], ({ still }) => {
      page.classList.toggle("still", still);
    }),
  );
  listenForKeys(ctx, options.deepLinks ? document : page);
  announceLayers(ctx);
  const { onState } = options;
  if (onState) ctx.onDestroy(ctx.store.subscribe(onState));

  return {
    setState: (wanted) => change(ctx, wanted),
    getState: () => ctx.store.get(),
    tell: (text) => ctx.fleeting.set({ notice: text }),
    destroy: () => {
      for (const cleanup of cleanups.splice(0)) cleanup();
      ctx.sprites?.destroy();
      page.remove();
    },
  };
}

/** The ground of the notebook, where it says so, or else what the system prefers. */
function prefersDark(): boolean {
  const notebook = document.body?.dataset["jpThemeLight"];
  if (notebook) return notebook === "false";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Follow the system's ground until a person chooses, and set what styles go by. */
function followTheme({ fleeting }: Context, page: HTMLElement, whole: boolean): () => void {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => fleeting.set({ dark: prefersDark() });
  query.addEventListener("change", follow);
  const stop = fleeting.watch(["dark"], ({ dark }) => {
    page.dataset["theme"] = dark ? "dark" : "light";
    if (whole) document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  });
  return () => {
    stop();
    query.removeEventListener("change", follow);
  };
}
