"""rudder-sdk-python: Alice is identified and looks at tea."""

import os

from rudderstack.analytics.client import Client

client = Client(os.environ["KEY"], host=os.environ["HOST"], gzip=True, max_retries=4)
client.identify("alice", {"tier": "gold", "firstName": "Alice", "email": "alice@shop.example"}, anonymous_id="v1")
client.track("alice", "Product Viewed", {"product_id": "TEA-1", "price": 4.5})
client.page("alice", "Shop", "Tea", {"path": "/tea", "url": "https://shop.example/tea"})
client.shutdown()
