// posthog-node
const { PostHog } = require("posthog-node");

const client = new PostHog(process.env.KEY, { host: process.env.HOST, fetchRetryCount: 4, fetchRetryDelay: 200 });
client.on("error", (error) => console.error(error));
client.capture({
  distinctId: "alice",
  event: "Product Viewed",
  properties: { product_id: "TEA-1", price: 4.5 },
});
client.capture({ distinctId: "alice", event: "$pageview", properties: { $current_url: "https://shop.example/tea" } });
client.identify({
  distinctId: "alice",
  properties: { tier: "gold", firstName: "Alice", email: "alice@shop.example" },
});
client.alias({ distinctId: "v1", alias: "alice" });
client.shutdown(20000);
