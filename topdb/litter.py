"""What Windows, macOS and network storage leave in folders, whatever lies there."""

_NAMES = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin"),
        *("recycler", "system volume information", ".ds_store", "__macosx", "icon\r"),
        *(".appledouble", ".appledb", ".appledesktop", ".apdisk", ".lsoverride", ".trashes"),
        *(".fseventsd", ".spotlight-v100", ".temporaryitems", ".documentrevisions-v100"),
        *(".volumeicon.icns", "network trash folder", "temporary items", ".directory"),
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", ".@__thumb"),
        *("lost+found", ".snapshot", ".trash"),
    }
)
"""In small letters; a file of that name or a folder with all that it holds."""
_BEGINNINGS = ("._", ".trash-", ".nfs", ".fuse_hidden", ".smbdelete")


def is_litter(name: str) -> bool:
    """Whether a file or folder of that name is one that systems leave wherever they look."""
    lowered = name.lower()
    return lowered in _NAMES or lowered.startswith(_BEGINNINGS)
