# fish completion for inosync. Made by scripts/make_man.py.
function __inosync_nodes
    set -l config
    set -l words (commandline -opc)
    for at in (seq (count $words))
        if contains -- $words[$at] -c --config
            set config -c $words[(math $at + 1)]
        end
    end
    set -l names (inosync $config --status --json 2>/dev/null |
        sed -n 's/^ *"node": "\(.*\)",*$/\1/p')
    if test -z "$names"
        set names (inosync $config --once --dry-run --node '?' 2>&1 |
            sed -n 's/.*there is no node ?; known are //p' | sed 's/, /\n/g')
    end
    printf '%s\n' $names | sort -u
end
complete -c inosync -n __fish_use_subcommand -a status -d 'show the state of every source and mirror'
complete -c inosync -n __fish_use_subcommand -a top -d 'the same, live, until q is pressed'
complete -c inosync -n __fish_use_subcommand -a wait -d 'end when all changes until now are there (or 60 s)'
complete -c inosync -n __fish_use_subcommand -a sync -d 'full pass now; frees what is held'
complete -c inosync -n __fish_use_subcommand -a pause -d 'collect changes, but start nothing until --resume'
complete -c inosync -n __fish_use_subcommand -a resume -d 'end a pause'
complete -c inosync -n __fish_use_subcommand -a reload -d 'have the config read again'
complete -c inosync -n __fish_use_subcommand -a check -d 'test the config and every node; change nothing'
complete -c inosync -n __fish_use_subcommand -a explain -d 'which rule hides PATH, and where it lands on each node'
complete -c inosync -n __fish_use_subcommand -a once -d 'one full pass to every node, then end'
complete -c inosync -n __fish_use_subcommand -a verify -d 'compare contents with all mirrors, tell what differs'
complete -c inosync -n __fish_use_subcommand -a kept -d 'what nodes keep (rkeep) of PATH or of everything: when, what happened, size'
complete -c inosync -n __fish_use_subcommand -a restore -d 'bring back what a node keeps of PATH'
complete -c inosync -n __fish_use_subcommand -a init -d '(init) write a config for SRC DEST, and check it'
complete -c inosync -n __fish_use_subcommand -a from-lsyncd -d 'print lsyncd\'s config as ours'
complete -c inosync -n __fish_use_subcommand -a help -d 'show this help message and exit'
complete -c inosync -s h -l help -d 'show this help message and exit'
complete -c inosync -s c -l config -r -F -d 'config (else $INOSYNC_CONFIG, or /etc/inosync.py)'
complete -c inosync -s d -l daemon -d 'daemonize, log to syslog'
complete -c inosync -s p -l dry-run -d 'run neither rsync nor hooks, log them'
complete -c inosync -s v -l verbose -d 'log every run and other details'
complete -c inosync -l log -x -a 'text json' -d 'how to log to standard error: text or json'
complete -c inosync -l insecure-config -d 'accept a config file that others may write to'
complete -c inosync -l status -d 'show the state of every source and mirror'
complete -c inosync -l json -d 'with --status, --kept: as JSON'
complete -c inosync -l top -d 'the same, live, until q is pressed'
complete -c inosync -l wait -d 'end when all changes until now are there (or 60 s)'
complete -c inosync -l all -d 'with --status, --wait: ask relays (rrelay) as well, and theirs'
complete -c inosync -l sync -d 'full pass now; frees what is held'
complete -c inosync -l pause -d 'collect changes, but start nothing until --resume'
complete -c inosync -l resume -d 'end a pause'
complete -c inosync -l reload -d 'have the config read again'
complete -c inosync -l check -d 'test the config and every node; change nothing'
complete -c inosync -l explain -r -F -d 'which rule hides PATH, and where it lands on each node'
complete -c inosync -l once -d 'one full pass to every node, then end'
complete -c inosync -l verify -d 'compare contents with all mirrors, tell what differs'
complete -c inosync -l repair -d 'with --verify: mend what differs'
complete -c inosync -l kept -d 'what nodes keep (rkeep) of PATH or of everything: when, what happened, size'
complete -c inosync -l restore -r -F -d 'bring back what a node keeps of PATH'
complete -c inosync -l at -x -d 'with --restore: as it was then (2 hours ago)'
complete -c inosync -l to -r -F -d 'with --restore: put it there, not into the source'
complete -c inosync -l yes -d 'with --restore: ask nothing before overwriting'
complete -c inosync -l new -d '(init) write a config for SRC DEST, and check it'
complete -c inosync -l from-lsyncd -r -F -d 'print lsyncd\'s config as ours'
complete -c inosync -l node -x -a '(__inosync_nodes)' -d 'of --wait, --sync, --once, --verify, --kept, --restore: this node alone'
complete -c inosync -s V -l version -d 'show program\'s version number and exit'
