/* The basket of the invented shop, and what it does with offers. */
"use strict";

const decision = new URLSearchParams(location.search).get("d"); // the offer that led here, if one did
const basket = JSON.parse(localStorage.getItem("basket") || "{}");

const add = (sku, name, decision_id) => {
  basket[sku] = name;
  localStorage.setItem("basket", JSON.stringify(basket));
  (window.postilion = window.postilion || []).push(["track", "Product Added", { product_id: sku, decision_id }]);
  show();
  document.querySelector("#added").textContent = `${name} is in your basket.`;
};

const show = () => {
  const skus = Object.keys(basket);
  document.querySelector("#count").textContent = skus.length;
  const list = document.querySelector("#basket");
  if (!list) return; // another page than that of the basket
  document.querySelector("#empty").hidden = skus.length > 0;
  list.replaceChildren(...Object.values(basket).map((name) => {
    const line = document.createElement("li");
    line.textContent = name;
    return line;
  }));
  document.querySelector("postilion-offers").setAttribute("items", skus.join(","));
};

// The catalogue names the shop's own address; here its pages lie on this machine.
document.addEventListener("postilion-offers", ({ detail }) => {
  for (const item of detail.items)
    for (const name of ["url", "image_url"]) item[name] = item[name]?.replace("https://shop.example", location.origin);
});
// A click on the button of an offer, not on its link.
document.addEventListener("postilion-clicked", ({ detail }) => {
  if (detail.element.localName === "button") add(detail.item.sku, detail.item.name, detail.decision_id);
});
document.addEventListener("click", ({ target }) => {
  if (!target.dataset.add) return;
  add(target.dataset.add, document.querySelector("h1").textContent, decision);
});
show();
