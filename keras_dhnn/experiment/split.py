"""Draw the split that an experiment's settings ask for."""

from keras_dhnn.pipelines.groups import load_groups, merge_groups
from keras_dhnn.pipelines.name_groups import groups_by_name
from keras_dhnn.pipelines.splits import make_split

# DHNN section IV-B: 1,000 of the 8,400 turned images. Ours: 20 % of each class.
QUERIES = {"paper": 1000 / 8400, "grouped": 0.2}


def draw_split(data, seed, info):
    """Draw the split that settings ask for.

    Args:
        data: the `Data` settings.
        seed: the experiment's seed.
        info: `DatasetInfo` of the prepared data set.

    Returns:
        `Split`.

    Raises:
        ValueError: if a setting is out of bounds.
        DataError: if `data.groups` is no file of groups, or of other images; or if names do not match
            `data.group_pattern`.
    """
    queries = QUERIES.get(data.protocol) if data.queries is None else data.queries
    if data.protocol == "grouped" and queries and queries >= 1:
        # A number of all items, in proportion to the classes: the same share of each.
        total = data.turns * info.count
        if queries >= total:
            raise ValueError(
                f"Invalid value received for setting `data.queries`. Expected a share above 0 and below 1, or a whole "
                f"number below {total}, the number of items. Received: queries={queries:g}"
            )
        queries /= total
    return make_split(
        info.labels,
        protocol=data.protocol,
        seed=seed,
        queries=int(queries) if queries and queries >= 1 else queries,
        validation=data.validation,
        turns=data.turns,
        groups=_groups(data, info),
    )


def _groups(data, info):
    """What must stay together, by a file, by names or by either; None if nothing must."""
    by_file = None if data.groups is None else load_groups(data.groups, info)
    by_name = None if data.group_pattern is None else groups_by_name(info.ids, data.group_pattern)
    if by_file is None or by_name is None:
        return by_name if by_file is None else by_file
    return merge_groups(by_file, by_name)
