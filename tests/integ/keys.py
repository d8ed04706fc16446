"""tests/integ/keys.py: keys and the names they are shown by, as doc/semantics.md says."""


def shown(component, beside_directory):
    """The name of a component of a key."""
    if component in (b"", b".", b"..") or component[:2] in (b"%:", b"%=") or b"\0" in component:
        component = b"%:" + component.replace(b"%", b"%25").replace(b"\0", b"%00")
    return b"%=" + component if beside_directory else component


def model(keys):
    """Files {path: content} and directories {path: key without the last slash} of a bucket, from
    {key: content}. Of a content it matters here whether it is empty."""
    directories = set()
    for key in keys:
        parts = key.split(b"/")
        directories.update(b"/".join(parts[:n]) for n in range(1, len(parts)))
    names, files = {b"": b""}, {}
    for directory in sorted(directories, key=lambda d: d.count(b"/")):
        above, _, last = directory.rpartition(b"/")
        top = b"/" not in directory
        names[(directory,)] = (b"" if top else names[(above,)] + b"/") + shown(last, False)
    for key, content in keys.items():
        above, slash, last = key.rpartition(b"/")
        if not last and len(content) == 0:
            continue  # the marker of a directory; with content it is a file as well
        path = names[(above,)] + b"/" if slash else b""
        files[path + shown(last, key in directories)] = content
    return files, {names[(d,)]: d for d in directories}
