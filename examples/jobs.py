# Two jobs in one daemon: a web site that is mirrored at once, and a configuration that is kept in a
# safe place. What is said by source here may be one value for all just as well: see docs/jobs.rst.

wpaths = ["/var/www/", "/etc/nginx/"]

rnodes = {
    "/var/www/": ["mirror@a.example.org:/var/www/", "mirror@b.example.org:/var/www/"],
    "/etc/nginx/": ["backup@safe.example.org:/backup/nginx/"],
}

rexcludes = {
    "/var/www/": ["/cache/"],
    "/etc/nginx/": ["*~"],
}

# "*" is for all sources that are not named.
edelay = {"/var/www/": "auto", "*": 30}
rscope = {"/var/www/": "changes"}
rmaxdelete = {"/etc/nginx/": 20}
rkeep = {"/etc/nginx/": 30}

# And this is for all of them.
extra = "--compress"
