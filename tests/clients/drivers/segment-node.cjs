// @segment/analytics-node
const { Analytics } = require("@segment/analytics-node");

const client = new Analytics({ writeKey: process.env.KEY, host: process.env.HOST, maxRetries: 4 });
client.on("error", (error) => console.error(error));
const traits = { tier: "gold", firstName: "Alice", email: "alice@shop.example" };
client.identify({ userId: "alice", anonymousId: "v1", traits });
client.track({ userId: "alice", event: "Product Viewed", properties: { product_id: "TEA-1", price: 4.5 } });
client.page({ userId: "alice", name: "Tea", properties: { path: "/tea", url: "https://shop.example/tea" } });
client.closeAndFlush({ timeout: 20000 });
