"""A client that waits for news, as a program of its own, so that it can be stopped in its tracks:
waiting_client.py ID TRANSPORT PORT [CA [CERTIFICATE KEY]] prints each message of `news`. TRANSPORT: tcp, tls, ws, wss.
The user and the password, if any, are in NEWS_LOGIN as USER:PASSWORD."""

import os
import sys

from furrow_testing import CALLBACKS, paho

KEEP_ALIVE = 5

client_id, transport, port, *trust = sys.argv[1:]
client = paho.Client(client_id=client_id, protocol=paho.MQTTv311, reconnect_on_failure=False,
                     transport="websockets" if transport in ("ws", "wss") else "tcp", **CALLBACKS)
if transport in ("tls", "wss"):
    client.tls_set(*trust)
if "NEWS_LOGIN" in os.environ:
    client.username_pw_set(*os.environ["NEWS_LOGIN"].split(":"))
client.on_connect = lambda one, *_: one.subscribe("news", 1)
client.on_subscribe = lambda *_: print("waits", flush=True)
client.on_message = lambda one, data, message: print(message.payload.decode(), flush=True)
client.on_disconnect = lambda *_: sys.exit(1)
client.connect("127.0.0.1", int(port), KEEP_ALIVE)
client.loop_forever()
