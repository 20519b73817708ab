"""A local Functions host: HTTP, queues and timers around Microsoft's own worker runtime.

The runtime (azure-functions-runtime) indexes and invokes function_app.py exactly as the worker in Azure does. This
package is the other half, what the Functions host does: it matches routes, polls queues, keeps time, and retries.
Where the real host's behaviour is known from its source it is followed, also where it bites; where something is not
served here the start fails and says so. HTTP listens on loopback only.
"""
