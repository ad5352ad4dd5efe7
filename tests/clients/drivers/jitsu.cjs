// @jitsu/js on a server; it sends again only when it is asked to, so a lost answer costs its caller a repetition
const { jitsuAnalytics } = require("@jitsu/js");

const client = jitsuAnalytics({ host: process.env.HOST, writeKey: `backend:${process.env.KEY}`, s2s: true });
(async () => {
  await client.setAnonymousId("v1");
  await client.identify("alice", { tier: "gold", firstName: "Alice", email: "alice@shop.example" });
  await client.track("Product Viewed", { product_id: "TEA-1", price: 4.5 });
  await client.page("Tea", { path: "/tea", url: "https://shop.example/tea" });
})();
