/* <postilion-offers placement="product" item="123" limit="6">: Postilion's offers on a page. It sets no cookie, stores
   nothing, and asks nobody but the server it came from; see docs/how-to/widget.md. */
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || customElements.get("postilion-offers") || !("adoptedStyleSheets" in document)) return;
  const server = new URL(".", script.src);
  const ASKED = ["placement", "item", "items", "limit"];
  const NEAR = "300px", PATIENCE = 5000, SEEN_AFTER = 1000, REPORTED_AFTER = 250;
  const HEADINGS = {
    en: "You may also like",
    de: "Das könnte Ihnen gefallen",
    es: "También te puede gustar",
    fr: "Vous aimerez aussi",
    nl: "Misschien ook iets voor jou",
  };

  // Built by script, which a policy without inline styles allows. One row, so that no answer changes the height.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { display: block; box-sizing: border-box; min-height: var(--postilion-height, 22em); line-height: 1.4 }
    :host([hidden]) { display: none }
    section { visibility: hidden }
    section.ready { visibility: inherit }
    h2, h3, h4 { margin: 0 .2em .6em; font-size: 1.25em; line-height: 1.3; text-wrap: balance }
    ul {
      display: grid; grid-auto-flow: column; gap: 1em; margin: 0; padding: .25em; list-style: none;
      grid-auto-columns: max(var(--postilion-item-width, 10em), (100% - (var(--places) - 1) * 1em) / var(--places));
      overflow-x: auto; scroll-snap-type: x proximity; scroll-padding: .25em;
    }
    li { min-width: 0; scroll-snap-align: start }
    li > a { display: block; color: inherit; text-decoration: none }
    a:focus-visible, button:focus-visible { outline: 2px solid; outline-offset: 2px }
    a:hover [part~=name] { text-decoration: underline }
    [part~=image] { display: block; width: 100%; height: var(--postilion-image-height, 10em); object-fit: contain }
    [part~=name] {
      display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; margin-top: .5em;
    }
    [part~=price] { display: block; font-weight: 600 }
    [part~=reason] {
      display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; font-size: .85em;
    }
  `);

  const web = (address) => {
    try {
      const url = new URL(address, document.baseURI);
      return /^https?:$/.test(url.protocol) ? url : null;
    } catch {
      return null;
    }
  };
  const card = () => {
    const made = ["link", "image", "name", "price", "reason"].map((part, place) => {
      const element = document.createElement(["a", "img"][place] || "span");
      element.dataset.offer = part;
      return element;
    });
    made[0].append(...made.slice(1));
    return made[0];
  };

  class PostilionOffers extends HTMLElement {
    static observedAttributes = [...ASKED, "heading", "level", "personal"];
    #list = document.createElement("ul");
    #title = document.createElement("h2");
    #section = document.createElement("section");
    #near = new IntersectionObserver((all) => all.at(-1).isIntersecting && this.#load(), { rootMargin: NEAR });
    #away = new IntersectionObserver((all) => (this.hidden = !all.at(-1).isIntersecting));
    #sight = new IntersectionObserver((all) => all.forEach((one) => this.#look(one)), { threshold: 0.5 });
    #timers = new Map();
    #pending = { shown: [], clicked: [] };
    #answer;
    #view;
    #asking;
    #later;
    #leave = () => this.#report();

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      this.#section.part = "offers";
      this.#list.part = "list";
      this.#list.setAttribute("role", "list"); // a list without bullets is none to VoiceOver
      this.#section.append(this.#list);
      root.append(this.#section);
      for (const kind of ["click", "auxclick"]) root.addEventListener(kind, (event) => this.#click(event));
    }

    connectedCallback() {
      this.#near.observe(this);
      document.addEventListener("visibilitychange", this.#leave);
      addEventListener("pagehide", this.#leave);
    }

    disconnectedCallback() {
      this.#forget();
      for (const observer of [this.#near, this.#away]) observer.disconnect();
      document.removeEventListener("visibilitychange", this.#leave);
      removeEventListener("pagehide", this.#leave);
    }

    attributeChangedCallback(name, before, after) {
      if (before === after || !this.isConnected || !this.#asking) return;
      this.#forget();
      queueMicrotask(() => {
        if (this.#asking || !this.isConnected) return;
        this.#away.disconnect();
        this.hidden = false;
        this.#near.observe(this);
      });
    }

    /* Ends what was begun for the attributes as they were. */
    #forget() {
      this.#report();
      this.#asking?.abort();
      this.#asking = this.#answer = undefined;
      this.#sight.disconnect();
      this.#timers.forEach(clearTimeout);
      this.#timers.clear();
    }

    async #load() {
      this.#near.disconnect();
      if (this.#asking) return;
      const asking = (this.#asking = new AbortController());
      const personal = this.hasAttribute("personal") && navigator.globalPrivacyControl !== true;
      const address = new URL("r/v1/recommendations", server);
      for (const name of ASKED) if (this.hasAttribute(name)) address.searchParams.set(name, this.getAttribute(name));
      if (personal) address.searchParams.set("visitor", "me");
      const impatience = setTimeout(() => asking.abort(), PATIENCE);
      let answer;
      try {
        const response = await fetch(address, {
          signal: asking.signal,
          credentials: personal ? "include" : "omit",
        });
        answer = await response.json();
        if (answer.error) console.warn("postilion-offers: " + answer.error); // for who builds the page
        if (!response.ok) answer = null;
      } catch {}
      clearTimeout(impatience);
      if (this.#asking !== asking) return; // something else was asked meanwhile
      // The page may change what is shown, or forbid it.
      const event = new CustomEvent("postilion-offers", { bubbles: true, cancelable: true, detail: answer });
      if (answer?.items?.length && this.dispatchEvent(event) && answer.items.length) this.#show(answer);
      else this.#hide();
    }

    /* Nothing of it is seen or read out; its room closes where that moves nothing that somebody looks at. */
    #hide() {
      this.#section.className = "";
      this.setAttribute("state", "hidden");
      this.#away.observe(this);
    }

    #show(answer) {
      this.#answer = answer;
      this.#view = crypto.getRandomValues(new Uint32Array(3)).join("-");
      const tongue = this.closest("[lang]")?.lang || "en";
      this.#name(tongue);
      this.#list.style.setProperty("--places", Math.max(1, this.getAttribute("limit") | 0 || 6));
      const focused = this.shadowRoot.activeElement;
      const number = [...this.#list.children].indexOf(focused?.closest("li"));
      this.#list.replaceChildren(...answer.items.map((item) => this.#place(item, tongue)));
      this.#list.scrollLeft = 0;
      this.#section.className = "ready";
      this.setAttribute("state", "ready");
      for (const place of this.#list.children) this.#sight.observe(place);
      // Whoever pressed a button in here stays where they were.
      if (number >= 0) this.#list.children[number]?.querySelector(focused.localName)?.focus({ preventScroll: true });
    }

    #name(tongue) {
      const told = this.getAttribute("heading") ?? (HEADINGS[tongue.slice(0, 2).toLowerCase()] || HEADINGS.en);
      this.#title.remove();
      this.#section.setAttribute("aria-label", told || HEADINGS.en);
      if (!told) return;
      const level = this.getAttribute("level");
      this.#title = document.createElement(level === "3" || level === "4" ? "h" + level : "h2");
      this.#title.part = "heading";
      this.#title.textContent = told;
      this.#section.prepend(this.#title);
    }

    #place(item, tongue) {
      const place = document.createElement("li");
      const template = this.querySelector("template");
      place.part = "item";
      place.append(template ? template.content.cloneNode(true) : card());
      const values = {
        ...item,
        price: this.#price(item, tongue),
        reason: /^en/i.test(tongue) ? item.reason : "", // which the server knows in English only
      };
      for (const element of place.querySelectorAll("[data-offer]")) {
        const name = element.dataset.offer;
        if (!element.hasAttribute("part")) element.part = name;
        if (name === "link") {
          const url = web(item.url);
          if (!url) continue;
          const { decision_id } = this.#answer;
          if (decision_id && url.searchParams.get("d") !== decision_id)
            url.search += (url.search ? "&" : "?") + "d=" + decision_id;
          element.href = url;
        } else if (name === "image") {
          if (!element.hasAttribute("alt")) element.alt = ""; // the name stands beside it
          element.decoding = "async";
          element.addEventListener("error", () => element.removeAttribute("src"), { once: true });
          const url = web(item.image_url || undefined);
          if (item.image_url && url) element.src = url;
        } else element.textContent = values[name] ?? "";
      }
      for (const element of place.querySelectorAll("[data-label]"))
        element.setAttribute(
          "aria-label",
          element.dataset.label.replace(/{(\w+)}/g, (_, name) => values[name] ?? ""),
        );
      return place;
    }

    #price({ price, currency }, tongue) {
      if (price == null || !currency) return "";
      try {
        const format = new Intl.NumberFormat(tongue, { style: "currency", currency });
        return format.format(price / 10 ** format.resolvedOptions().maximumFractionDigits);
      } catch {
        return "";
      }
    }

    #item(place) {
      return this.#answer?.items[[...this.#list.children].indexOf(place)];
    }

    /* Shown is what stood at least half in view for a second. */
    #look({ target, isIntersecting }) {
      clearTimeout(this.#timers.get(target));
      if (!isIntersecting) return;
      const see = () => {
        this.#sight.unobserve(target);
        if (document.visibilityState === "visible") this.#tell("shown", target);
        else this.#sight.observe(target); // asks again when somebody is back
      };
      this.#timers.set(target, setTimeout(see, SEEN_AFTER));
    }

    #click(event) {
      const hit = event.target.closest("a, button");
      if (!hit || (event.type === "auxclick" && event.button !== 1)) return;
      this.#tell("clicked", hit.closest("li"), hit);
      this.#report(); // the page may be left
    }

    #tell(kind, place, element = place) {
      const item = this.#item(place);
      if (!item) return;
      const { decision_id, placement } = this.#answer;
      const detail = { decision_id, placement, item, element };
      this.dispatchEvent(new CustomEvent("postilion-" + kind, { bubbles: true, detail }));
      this.#pending[kind].push(item.sku);
      clearTimeout(this.#later);
      this.#later = setTimeout(() => this.#report(), REPORTED_AFTER);
    }

    #report() {
      clearTimeout(this.#later);
      const { shown, clicked } = this.#pending;
      const decision_id = this.#answer?.decision_id;
      if (!decision_id || !(shown.length || clicked.length)) return;
      this.#pending = { shown: [], clicked: [] };
      const body = JSON.stringify({ decision_id, view: this.#view, shown, clicked });
      const sent = { method: "POST", body, keepalive: true, credentials: "omit", mode: "no-cors" };
      fetch(new URL("r/v1/impressions", server), sent).catch(() => {});
    }
  }
  customElements.define("postilion-offers", PostilionOffers);
})();
