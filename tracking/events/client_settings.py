"""What other products' clients ask for before they send anything: settings, integrations, feature flags. Pure.

All of it is empty: nothing is forwarded to third parties, no feature is on, and no recording or autocapture starts.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

POSTHOG_EVENTS: Final = "/i/v0/e/"


def segment_settings(key: str, public_url: str) -> dict[str, Any]:
    """`/v1/projects/{key}/settings`: where analytics.js posts to, which is `public_url`."""
    url = urlsplit(public_url)
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{url.netloc}{url.path.rstrip('/')}/v1",
                "protocol": url.scheme,
                "unbundledIntegrations": [],
                "addBundledMetadata": False,
            }
        },
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "remotePlugins": [],
        "metrics": {"sampleRate": 0},
        "analyticsNextEnabled": True,
        "legacyVideoPluginsEnabled": False,
        "edgeFunction": {},
    }


def rudderstack_source(name: str, public_url: str) -> dict[str, Any]:
    """`/sourceConfig/`: a source without destinations; `name` is that of the write key."""
    return {
        "source": {
            "id": name,
            "name": name,
            "enabled": True,
            "workspaceId": "postilion",
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "dataplanes": {},
            "destinations": [],
            "connections": [],
        },
        "dataPlaneUrl": public_url.rstrip("/"),
        "updatedAt": "1970-01-01T00:00:00.000Z",
    }


def posthog_config(token: str) -> dict[str, Any]:
    """`/array/{token}/config`: everything that is optional is off."""
    return {
        "token": token,
        "supportedCompression": ["gzip", "gzip-js"],
        "hasFeatureFlags": False,
        "captureDeadClicks": False,
        "capturePerformance": False,
        "autocapture_opt_out": True,
        "autocaptureExceptions": False,
        "analytics": {"endpoint": POSTHOG_EVENTS},
        "elementsChainAsString": True,
        "sessionRecording": False,
        "heatmaps": False,
        "surveys": False,
        "productTours": False,
        "conversations": False,
        "logs": {"captureConsoleLogs": False},
        "defaultIdentifiedOnly": True,
        "siteApps": [],
    }


def posthog_flags(token: str) -> dict[str, Any]:
    """`/flags/` and the older `/decide/`: no flags, which is told as no error."""
    return {
        **posthog_config(token),
        "flags": {},
        "featureFlags": {},
        "featureFlagPayloads": {},
        "errorsWhileComputingFlags": False,
        "quotaLimited": [],
        "isAuthenticated": False,
        "toolbarParams": {},
    }


def posthog_script(token: str) -> str:
    """`/array/{token}/config.js`; `token` holds letters, digits, `-` and `_` only."""
    config = msgspec.json.encode({"config": posthog_config(token), "siteApps": []}).decode()
    return (
        "(function(){window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};"
        f"window._POSTHOG_REMOTE_CONFIG[{msgspec.json.encode(token).decode()}]={config};}})();"
    )
