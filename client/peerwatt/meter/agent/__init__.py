"""The meter's program at the home's edge: counters in, signed registers out.

`mapping` says which counters make which register, `presets` knows the usual devices, `payloads` reads one message,
`sources` listens to MQTT or asks over HTTP, `boundaries` holds the rule of which value is a window's register,
`watch` follows the counters, `journal` keeps what was signed, `bridge` talks to the bridge, `runner` does all of it.
"""
