"""The sandbox as unmodified boto3 and a browser meet it, over HTTP."""
