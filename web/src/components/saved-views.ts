import { type Context, change } from "../context.ts";
import { NAME, NOTE, type SavedView, VIEWS, encodeViews } from "../data/saved-views.ts";
import { bdi, download, h } from "../dom.ts";
import { icon } from "../icons.ts";
import { encodeState } from "../state/links.ts";
import { initialState } from "../state/view-state.ts";
import { placeName } from "./places.ts";

/** What is shown as a link's fragment, without what a person keeps of the page. */
export function viewOf({ study, store }: Context): string {
  const { views } = initialState(study);
  return encodeState(study, { ...store.get(), views, decisions: {}, bare: false });
}

/** Views with names and notes: kept, opened and removed, in the link or in a saved page. */
export function savedViews(ctx: Context): HTMLElement {
  const { store } = ctx;
  const count = h("span", { class: "badge", hidden: true });
  const summary = h(
    "summary",
    { class: "round", title: "Views and notes", "data-testid": "views-button" },
    icon("bookmark"),
    h("span", { class: "spoken" }, "Views and notes"),
    count,
  );
  const list = h("ol", { class: "views", "data-testid": "views" });
  const back = h("button", { type: "button", class: "link", hidden: true });
  const hint = h("p", { class: "hint", "data-testid": "views-hint" });
  const name = h("input", {
    type: "text",
    maxlength: NAME,
    "aria-label": "Name of this view",
    "data-testid": "view-name",
  });
  const note = h("textarea", {
    rows: 3,
    maxlength: NOTE,
    placeholder: "Note",
    "aria-label": "Note on this view",
    "data-testid": "view-note",
  });
  const keep = h("button", { type: "submit", "data-testid": "keep-view" }, "Keep this view");
  const form = h(
    "form",
    { class: "view-form" },
    h("h3", {}, "What is shown now"),
    name,
    note,
    keep,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = name.value.trim() || name.placeholder;
    const view: SavedView = { name: words, note: note.value.trim(), at: viewOf(ctx) };
    change(ctx, { views: [...store.get().views, view] });
    [name.value, note.value] = ["", ""];
    ctx.announce(`${words} is kept`);
  });
  const { savePage } = ctx;
  const save =
    savePage &&
    h(
      "button",
      {
        type: "button",
        class: "with-icon",
        title: "This page as a file, with its views and notes and what you say of labels",
        "data-testid": "save-page",
        onclick: () => download(...savePage()),
      },
      icon("save"),
      "Save the page with them",
    );
  const body = h("div", { class: "menu-body" }, h("h2", {}, "Views and notes"), list, back, form);
  body.append(...(save ? [save] : []), hint);
  const menu = h(
    "details",
    { class: "menu saved-views", "data-testid": "views-menu" },
    summary,
    body,
  );
  const remove = (at: number) => {
    const { views } = store.get();
    const gone = views[at];
    if (!gone) return;
    change(ctx, { views: views.filter((_, i) => i !== at) });
    back.hidden = false;
    back.replaceChildren("Put “", bdi(gone.name), "” back");
    back.onclick = () => {
      const now = store.get().views;
      change(ctx, { views: [...now.slice(0, at), gone, ...now.slice(at)] });
      back.hidden = true;
      summary.focus();
    };
    back.focus();
  };
  const draw = () => {
    const { views } = store.get();
    count.hidden = !views.length;
    count.textContent = String(views.length);
    keep.disabled = views.length >= VIEWS;
    list.hidden = !views.length;
    list.replaceChildren(
      ...views.map((view, at) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "view",
              "data-testid": `view-${at}`,
              onclick: () => {
                menu.open = false;
                ctx.open(view.at, view.note && `${view.name}: ${view.note}`);
              },
            },
            h("b", {}, bdi(view.name)),
            view.note && h("span", { dir: "auto" }, view.note),
          ),
          h(
            "button",
            {
              type: "button",
              class: "icon-only",
              "aria-label": `Remove ${view.name}`,
              title: "Remove",
              "data-testid": `remove-view-${at}`,
              onclick: () => remove(at),
            },
            icon("close"),
          ),
        ),
      ),
    );
    hint.textContent = hintOf(views, savePage !== null);
  };
  ctx.onDestroy(store.watch(["views"], draw));
  ctx.onDestroy(
    store.watch(["model", "layer", "epoch"], (state) => {
      name.placeholder = placeName(ctx.study, state).slice(0, NAME);
    }),
  );
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    summary.focus();
  });
  const away = (event: Event) => {
    if (menu.open && !event.composedPath().includes(menu)) menu.open = false;
  };
  document.addEventListener("pointerdown", away);
  ctx.onDestroy(() => document.removeEventListener("pointerdown", away));
  return menu;
}

/** Where the views are kept, and what is lost where. */
function hintOf(views: SavedView[], linked: boolean): string {
  const last = views.length >= VIEWS ? ` No more than ${VIEWS} can be kept.` : "";
  if (!linked) return `Views are kept until this page is closed.${last}`;
  if (encodeViews(views) === null)
    return `These are too long for a link: without a saved page they are gone when this one is closed.${last}`;
  return `They are in the link to this page as well: copy it to pass them on.${last}`;
}
