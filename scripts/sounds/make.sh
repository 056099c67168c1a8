#!/usr/bin/env bash
# Делает по texts.yaml звуки, которых ещё нет: Festival, русский голос msu_ru_nsh_clunits (пакеты Debian: festival festvox-ru sox).
# Заново один файл: удалите его и запустите. Чужих файлов не трогает.
set -euo pipefail
cd "$(dirname "$0")"
for tool in text2wave sox; do
    command -v "$tool" >/dev/null || { echo "нет программы $tool: apt-get install festival festvox-ru sox" >&2; exit 1; }
done
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
grep -E '^[a-z_]+: ' texts.yaml | while IFS= read -r line; do
    name=${line%%: *}
    [[ -e $name.wav ]] && continue
    text=${line#*: }
    text=${text#\"}
    # Кавычки и тире голос читать не умеет.
    printf '%s\n' "${text%\"}" | sed 's/[«»]//g; s/ — /, /g' > "$temp/text"
    text2wave -o "$temp/big.wav" -eval '(voice_msu_ru_nsh_clunits)' "$temp/text" </dev/null
    # Тишина короче 30 мс по краям; громкость до -3 дБ.
    sox "$temp/big.wav" -r 8000 -b 16 -c 1 "$temp/out.wav" gain -n -3 pad 0.05 0.1
    mv "$temp/out.wav" "$name.wav"
    echo "$name.wav"
done
