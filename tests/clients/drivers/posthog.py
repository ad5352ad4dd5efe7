"""posthog: a visitor looks at tea and turns out to be Alice."""

import os

from posthog import Posthog

client = Posthog(os.environ["KEY"], host=os.environ["HOST"], gzip=True, max_retries=4)
client.capture("Product Viewed", distinct_id="alice", properties={"product_id": "TEA-1", "price": 4.5})
client.capture("$pageview", distinct_id="alice", properties={"$current_url": "https://shop.example/tea"})
client.set(distinct_id="alice", properties={"tier": "gold", "firstName": "Alice", "email": "alice@shop.example"})
client.alias(previous_id="v1", distinct_id="alice")
client.shutdown()
