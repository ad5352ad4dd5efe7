// @rudderstack/rudder-sdk-node
const Analytics = require("@rudderstack/rudder-sdk-node");

const client = new Analytics(process.env.KEY, { dataPlaneUrl: process.env.HOST, gzip: true });
const traits = { tier: "gold", firstName: "Alice", email: "alice@shop.example" };
client.identify({ userId: "alice", anonymousId: "v1", traits });
client.track({ userId: "alice", event: "Product Viewed", properties: { product_id: "TEA-1", price: 4.5 } });
client.page({ userId: "alice", name: "Tea", properties: { path: "/tea", url: "https://shop.example/tea" } });
client.flush((error) => error && console.error(error));
