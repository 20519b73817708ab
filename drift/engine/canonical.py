"""The canonical form of one resource: what of an ARM document is configuration, in one spelling.

What this module takes from `drift.engine.facts` (and nothing else knows what is noise):

    facts_for(resource_type: str) -> TypeFacts      cached; the type in any letter case
    TypeFacts.facts: tuple[Fact, ...]               the type's own facts and the global ones
    Fact.segments: tuple[str, ...]                  lower case; `*` is any array item or any member, a first `**` is
                                                    any depth (`("**", "etag")`), a last `x*` any name that begins so
                                                    (`("tags", "hidden-*")`). An array's own facts sit on the array,
                                                    not on its items: `("properties", "dnsservers")` is ORDERED.
    Fact.kind: FactKind                             READ_ONLY, VOLATILE, STATE, BACK_REFERENCE, PLATFORM_TAG: dropped with all below;
                                                    KEPT: compared although a wider fact drops it (the longest match wins,
                                                    a type's own fact before a global one);
                                                    VOLATILE_DATE: dropped when the value is a timestamp, kept otherwise;
                                                    SET: array, order means nothing (the default); ORDERED: array, order is
                                                    configuration; IDENTITY: `keys` name an item of the array together;
                                                    CASE_INSENSITIVE, LOCATION: strings (or arrays of strings) folded;
                                                    SECRET: strings HMACed, objects and arrays as a whole;
                                                    ALLOW_LIST: [] is kept apart from missing (informational);
                                                    DEFAULT: a member equal to `value` is dropped;
                                                    REFERENCE: of an object with an `id` only the id counts ($expand);
                                                    AUTOSCALED: on the count; dropped while the sibling members `keys`
                                                    (minimum, maximum, optional switch) hold it in their band
    Fact.keys: tuple[str, ...]; Fact.value: Json; Fact.reason: str; Fact.source: str
"""
