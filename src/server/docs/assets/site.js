// The search of the documentation. It runs in the browser over an index of all pages, and asks no other server.
"use strict";

(() => {
  const form = document.querySelector(".search");
  const output = document.getElementById("searchResults");
  const MAX_RESULTS = 30;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const terms = form.elements.q.value.trim();
    if (!output) {
      if (terms) location.href = `${form.getAttribute("action")}?q=${encodeURIComponent(terms)}`;
      return;
    }
    history.replaceState(null, "", terms ? `?q=${encodeURIComponent(terms)}` : location.pathname);
    search(terms, true);
  });

  // A slash anywhere leads to the search field.
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      form.elements.q.focus();
    }
  });

  // A long navigation starts at the page that it belongs to.
  const navigation = document.getElementById("siteNavigation");
  const current = navigation.querySelector("[aria-current]");
  if (current) navigation.scrollTop = current.offsetTop - navigation.clientHeight / 2;

  // Boxes that show all their content are no stops of the keyboard. That changes when a box
  // becomes visible, and when a script fills it.
  const update = (box) => {
    box.tabIndex = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ? 0 : -1;
  };
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => update(target)));
  for (const box of document.querySelectorAll('[role="region"][tabindex]')) {
    sizes.observe(box);
    new MutationObserver(() => update(box)).observe(box, { childList: true });
  }

  if (!output) return;

  const element = (name, text, className) => {
    const created = document.createElement(name);
    if (text) created.textContent = text;
    if (className) created.className = className;
    return created;
  };
  const status = element("p");
  status.setAttribute("role", "status");
  output.append(status);
  const allPages = document.getElementById("allPages");
  const title = document.querySelector("h1");
  let index;

  const load = async () => {
    const response = await fetch(output.dataset.index);
    if (!response.ok) throw new Error(response.statusText);
    const { frequent, pages } = await response.json();
    const all = pages.flatMap(([path, page, sections]) =>
      sections.map(([id, heading, beginning, further]) => ({
        path, page, id, heading, beginning,
        inPage: page.toLowerCase(),
        inHeading: heading.toLowerCase(),
        inText: `${beginning.toLowerCase()} ${further}`,
      })));
    return { all, isRare: (word) => word.length > 2 && !frequent.includes(word) };
  };

  // A word counts as a whole, or as the beginning of one.
  const patternOf = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  // "certificates" finds "certificate", too.
  const startsWord = (word) => new RegExp(`(?<![\\p{L}\\p{N}])${patternOf(word.replace(/(?<=\p{L}{3})s$/u, ""))}`, "iu");
  const isWord = (word) => new RegExp(`(?<![\\p{L}\\p{N}])${patternOf(word)}(?![\\p{L}\\p{N}])`, "iu");

  // All words must be there. Titles and headings weigh more than text, whole words more than beginnings.
  const score = (section, words) => {
    let sum = 0;
    for (const { starts, whole } of words) {
      let weight = 0;
      if (starts.test(section.inText)) weight = whole.test(section.inText) ? 4 : 1;
      if (starts.test(section.inHeading)) weight += whole.test(section.inHeading) ? 12 : 5;
      if (starts.test(section.inPage)) weight += (whole.test(section.inPage) ? 10 : 4) / (section.id ? 4 : 1);
      if (!weight) return 0;
      sum += weight;
    }
    return sum;
  };

  const marked = (text, words) => {
    const paragraph = element("p");
    const all = new RegExp(`((?:${words.map(({ starts }) => starts.source).join("|")})[\\p{L}\\p{N}]*)`, "giu");
    text.split(all).forEach((part, number) => paragraph.append(number % 2 ? element("mark", part) : part));
    return paragraph;
  };

  // The index has only the beginning of each section: the page itself has the place where the words stand.
  const documents = new Map();
  const pageOf = (path) => {
    if (!documents.has(path)) {
      documents.set(path, fetch(path || "./").then((response) => response.text())
        .then((html) => new DOMParser().parseFromString(html, "text/html")));
    }
    return documents.get(path);
  };
  const placeIn = (page, id, words) => {
    const content = page.querySelector(".content");
    const heading = id && page.getElementById(id);
    const start = heading && (heading.closest(".heading") || heading);
    let node = start ? start.nextElementSibling : content.firstElementChild;
    let best = "";
    let most = 0;
    while (node && !(node.querySelector(":scope > h2, :scope > h3") || /^H[23]$/.test(node.tagName))) {
      for (const part of node.querySelectorAll("tr, li, pre").length ? node.querySelectorAll("tr, li, pre") : [node]) {
        const text = [...(part.cells || [part])].map((cell) => cell.textContent.trim()).join(" – ").replace(/\s+/g, " ");
        const found = words.filter(({ starts }) => starts.test(text)).length;
        if (found > most) [best, most] = [text, found];
      }
      node = node.nextElementSibling;
    }
    const position = Math.max(0, ...words.map(({ starts }) => best.search(starts)).filter((place) => place > 100)) - 60;
    const from = position > 0 ? best.indexOf(" ", position) + 1 : 0;
    const excerpt = best.slice(from, from + 220);
    return `${from ? "… " : ""}${excerpt}${from + 220 < best.length ? " …" : ""}`;
  };

  const show = (sections, words) => {
    const list = element("ol");
    for (const section of sections) {
      const item = element("li");
      const link = element("a", section.heading || section.page);
      link.href = `${section.path || "./"}${section.id ? `#${section.id}` : ""}`;
      let excerpt = marked(`${section.beginning}${section.beginning.length > 100 ? " …" : ""}`, words);
      item.append(link);
      if (section.heading) item.append(element("p", section.page, "page"));
      item.append(excerpt);
      list.append(item);
      if (!words.every(({ starts }) => starts.test(section.beginning))) {
        pageOf(section.path).then((page) => {
          const place = placeIn(page, section.id, words);
          if (place) excerpt.replaceWith(excerpt = marked(place, words));
        }).catch(() => {});
      }
    }
    output.append(list);
  };

  let searches = 0;
  const search = async (terms, isAsked) => {
    const number = ++searches;
    output.replaceChildren(status);
    allPages.hidden = Boolean(terms);
    title.textContent = terms ? "Search" : "All pages";
    document.title = document.title.replace(/^.* – /, `${terms ? `${terms} – Search` : "All pages"} – `);
    status.textContent = "";
    if (!terms) return;
    const unique = [...new Set(terms.toLowerCase().split(/[^\p{L}\p{N}_.'’-]+/u).filter(Boolean))];
    try {
      index ||= await load();
    } catch {
      status.textContent = "The index of the search cannot be loaded. Reload the page.";
      allPages.hidden = false;
      return;
    }
    // Another search has begun while the index was loaded.
    if (number !== searches) return;
    // The index does not have the frequent words.
    const rare = unique.filter(index.isRare);
    const searched = (rare.length ? rare : unique).slice(0, 8);
    const words = searched.map((word) => ({ word, starts: startsWord(word), whole: isWord(word) }));
    const found = words.length ? index.all.map((section) => ({ section, weight: score(section, words) })).filter(({ weight }) => weight) : [];
    found.sort((first, second) => second.weight - first.weight);
    const count = found.length === 1 ? "1 result" : `${found.length} results`;
    const first = found.length > MAX_RESULTS ? `, the first ${MAX_RESULTS} of which are shown` : "";
    status.textContent = found.length ? `${count} for “${terms}”${first}.`
      : `No results for “${terms}”. Use fewer or other words, or choose a page from the list.`;
    allPages.hidden = found.length > 0;
    show(found.slice(0, MAX_RESULTS).map(({ section }) => section), words);
    if (isAsked) output.querySelector("a")?.focus();
  };

  const terms = new URLSearchParams(location.search).get("q") || "";
  form.elements.q.value = terms;
  search(terms.trim(), false);
})();
