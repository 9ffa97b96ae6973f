"""What each shell is told once: to ask ``tortie __complete`` at every tab."""

from __future__ import annotations

from collections.abc import Mapping

_BASH = r"""# tortie completion for bash: source <(tortie completion bash)
_tortie() {
    local -a answer
    mapfile -t answer < <(tortie __complete bash "${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null)
    local directive=: current=${COMP_WORDS[COMP_CWORD]} line
    COMPREPLY=()
    if ((${#answer[@]})); then
        directive=${answer[-1]}
        unset 'answer[-1]'
    fi
    [[ $current == = ]] && current=
    if [[ $directive == :files ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    [[ $directive == :more ]] && compopt -o nospace 2>/dev/null
    for line in "${answer[@]}"; do
        COMPREPLY+=("${line%%$'\t'*}")
    done
}
complete -F _tortie tortie
"""

_ZSH = r"""#compdef tortie
# tortie completion for zsh: source <(tortie completion zsh)
_tortie() {
    local -a answer words_only described
    local directive line
    answer=("${(@f)$(tortie __complete zsh "${(@)words[1,CURRENT]}" 2>/dev/null)}")
    directive=${answer[-1]}
    answer=("${(@)answer[1,-2]}")
    if [[ $directive == :files ]]; then
        _files
        return
    fi
    for line in "${answer[@]}"; do
        words_only+=("${line%%$'\t'*}")
        described+=("${line/$'\t'/  -- }")
    done
    (( ${#words_only} )) || return 1
    if [[ $directive == :more ]]; then
        compadd -S '' -d described -a words_only
    else
        compadd -d described -a words_only
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _tortie tortie
"""

_FISH = r"""# tortie completion for fish: tortie completion fish | source
function __tortie_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --current-token --cut-at-cursor)
    set -q current[1]; or set current ''
    set -l answer (tortie __complete fish $words $current 2>/dev/null)
    set -q answer[1]; or return
    if test "$answer[-1]" = ":files"
        __fish_complete_path (commandline --current-token)
        return
    end
    set -e answer[-1]
    printf '%s\n' $answer
end
complete --command tortie --no-files --keep-order --arguments '(__tortie_complete)'
"""

SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
