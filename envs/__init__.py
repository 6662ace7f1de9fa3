"""Gymnasium environments of active matting; their ids are in `active_matting.environments`.

`settings` is what one is told, `query_loop` its episodes; `actions` turns what an agent chooses into regions; `single`
and `vector` give both Gymnasium's face. `regions` and `region_grid` put these together, each for one id.
"""
