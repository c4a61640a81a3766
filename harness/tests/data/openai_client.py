"""Asks a server through the package `openai`, and prints what its callers would get, a line for each request.

The lines are JSON. Its arguments: the server's address, the key, and the request bodies, each as JSON.
"""

import json
import sys

import openai

url, key, *bodies = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=60)

for body in bodies:
    try:
        answer = client.embeddings.create(**json.loads(body))
    except openai.APIStatusError as error:
        header = error.response.headers.get("retry-after")
        print(json.dumps({"error": type(error).__name__, "message": str(error), "retry_after": header}))
    else:
        vectors = [item.embedding for item in answer.data]
        print(json.dumps({"model": answer.model, "vectors": vectors, "tokens": answer.usage.prompt_tokens}))
