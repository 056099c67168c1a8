//! What may be typed: commands, their arguments and help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const HELP: &str = "{about}\n\nВызов: {usage}\n\n{all-args}{after-help}";
const KEYS: &str = "Ключи";
const NAMED: &str = "Что указать";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "govorun",
    about = "Говорун: звонки через Asterisk по сценариям, с распознаванием речи и отчётом в 1С",
    override_usage = "govorun КОМАНДА [ключи]",
    help_template = HELP,
    subcommand_help_heading = "Команды",
    next_help_heading = KEYS,
    disable_help_flag = true,
    disable_help_subcommand = true,
    disable_version_flag = true,
    arg_required_else_help = true,
    after_help = "С чего начать:\n  govorun demo                     разговор без Asterisk и ключей\n  govorun talk confirm_visit       свой диалог в терминале\n  govorun test                     проверки диалогов\n  govorun check                    все ошибки настроек и диалогов сразу\n\nКод завершения: 0 — всё в порядке, 1 — найдена ошибка, 2 — неверный вызов."
)]
#[command(arg = help_flag(), arg = version_flag(), version)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

fn help_flag() -> clap::Arg {
    clap::Arg::new("help")
        .short('h')
        .long("help")
        .global(true)
        .help("Эта справка")
        .help_heading(KEYS)
        .action(clap::ArgAction::Help)
}

fn version_flag() -> clap::Arg {
    clap::Arg::new("version")
        .short('V')
        .long("version")
        .help("Версия")
        .help_heading(KEYS)
        .action(clap::ArgAction::Version)
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Показать всё сразу: разговор, что получит 1С, история. Ни Asterisk, ни ключей не нужно
    #[command(
        override_usage = "govorun demo",
        help_template = HELP,
        after_help = "С клавиатурой отвечаете вы; без неё (govorun demo </dev/null) разговор готовый, секунд на пятнадцать."
    )]
    Demo,
    /// Сервер: принимает заказы по HTTP, звонит и отвечает через Asterisk
    #[command(
        override_usage = "govorun serve [-c ФАЙЛ] [--log text|json]",
        help_template = HELP,
        after_help = "Журнал идёт в stderr; подробность задаёт RUST_LOG: warn, info (обычно), debug.\nОстановить: Ctrl-C или SIGTERM; начатым звонкам даётся calls.drain (60 с), второй сигнал обрывает сразу."
    )]
    Serve(Serve),
    /// Проверить настройки и диалоги: все ошибки сразу, с файлом, строкой и советом
    #[command(override_usage = "govorun check [-c ФАЙЛ | --scripts ПАПКА] [--json]", help_template = HELP)]
    Check(Check),
    /// Спросить Asterisk, распознавание, голос, диск и часы: чего не хватает и какой строкой это исправить
    #[command(
        override_usage = "govorun doctor [-c ФАЙЛ] [--json]",
        help_template = HELP,
        after_help = "Работает и рядом с сервером, и без него; никому не звонит. Распознавателю даётся одна короткая фраза (у Яндекса это стоит 15 секунд речи), голосу — одно предложение."
    )]
    Doctor(Doctor),
    /// Поговорить с диалогом в терминале: вы — за человека на линии
    #[command(
        override_usage = "govorun talk ДИАЛОГ [имя=значение ...] [--fast] [--save НАЗВАНИЕ] [--scripts ПАПКА]",
        help_template = HELP,
        after_help = super::caller::HELP
    )]
    Talk(Talk),
    /// Провести проверки диалогов (файлы .test.yaml) за миллисекунды, без телефона; показать, до чего они не дошли
    #[command(
        override_usage = "govorun test [ДИАЛОГ ...] [--min-coverage N] [--junit ФАЙЛ] [--scripts ПАПКА]",
        help_template = HELP,
        after_help = "Как писать проверки — в scripts/README.md. Время в них условное: минута молчания не ждёт ни секунды."
    )]
    Test(Test),
    /// Провести записанный звонок через сегодняшний диалог: где он пошёл бы иначе
    #[command(
        override_usage = "govorun replay НОМЕР | --all ДИАЛОГ [--last N] [-c ФАЙЛ] [--scripts ПАПКА] [--store ФАЙЛ]",
        help_template = HELP,
        after_help = "Сервер при этом может работать: история только читается.\nПеред тем как отдать новый сценарий: govorun replay --all confirm_visit --last 1000 --scripts новые"
    )]
    Replay(Replay),
    /// Выгрузить законченные звонки или их истории: CSV для Excel или JSON по строкам
    #[command(
        override_usage = "govorun export calls|events [--from ДАТА] [--to ДАТА] [--dialog ДИАЛОГ] [--format csv|jsonl] [--data ИМЕНА] [-o ФАЙЛ] [-c ФАЙЛ | --store ФАЙЛ]",
        help_template = HELP,
        after_help = "Сервер при этом может работать: история только читается. Без дат — последние 30 дней, по дню конца звонка.\nПример: govorun export calls --from 2026-11-01 --to 2026-11-30 --data дата,оценка -o ноябрь.csv"
    )]
    Export(Export),
    /// Показать, что поймут из сказанного: ответы, числа, суммы, телефоны, даты, время
    #[command(
        override_usage = "govorun understand СКАЗАННОЕ|- [--json] [--dialog ДИАЛОГ] [--scripts ПАПКА] [--now ВРЕМЯ] [--zone ПОЯС]",
        help_template = HELP,
        after_help = "Примеры:\n  govorun understand двадцать пятого в полшестого\n  govorun understand --json - <сказанное.txt      по объекту JSON на строку\n\n«Неясно» — сказано, но понять можно по-разному: сценарий в этом поле получит пустое значение ()."
    )]
    Understand(Understand),
    /// Заказать один звонок у работающего сервера и проследить за ним
    #[command(
        override_usage = "govorun call ТЕЛЕФОН ДИАЛОГ [имя=значение ...] [--url АДРЕС] [--token ТОКЕН]",
        help_template = HELP,
        after_help = "Пример: govorun call +79121234567 подтверждение_визита имя='Анна Сергеевна' время='завтра в десять'"
    )]
    Call(Call),
    /// Вернуть прежнюю версию сценариев на работающем сервере: она действует, пока файлы снова не изменят
    #[command(
        override_usage = "govorun rollback [ВЕРСИЯ] [--url АДРЕС] [--token ТОКЕН]",
        help_template = HELP,
        after_help = "Без версии — та, что работала перед нынешней; какие ещё есть, скажет govorun rollback --list.\nНачатые разговоры не меняются. Когда файлы исправят и сохранят, новая версия вступит сама."
    )]
    Rollback(Rollback),
    /// Не начинать новых звонков на работающем сервере и дождаться конца начатых: перед обновлением или перерывом
    #[command(
        override_usage = "govorun drain [--off | --show | --no-wait] [--url АДРЕС] [--token ТОКЕН]",
        help_template = HELP,
        after_help = "Заказы принимаются и ждут. Входящие звонки идут дальше по диалплану Asterisk. Прервать ожидание можно (Ctrl-C): новых звонков всё равно не будет,\nпока их не вернёт govorun drain --off или перезапуск сервера."
    )]
    Drain(Drain),
    /// Слова языка сценариев: для редактора (.d.rhai) или таблицами по-русски
    #[command(
        override_usage = "govorun definitions [--table]",
        help_template = HELP,
        after_help = "Пример: govorun definitions > scripts/govorun.d.rhai — редактор с поддержкой Rhai станет подсказывать слова."
    )]
    Definitions(Definitions),
}

/// Which running server is asked.
#[derive(Args, Debug)]
pub(super) struct Server {
    /// Адрес сервера; без ключа — http://127.0.0.1:8080
    #[arg(long, value_name = "АДРЕС", default_value = "http://127.0.0.1:8080", hide_default_value = true, help_heading = KEYS)]
    pub(super) url: String,
    /// Токен из http.tokens; без ключа — из переменной окружения GOVORUN_TOKEN
    #[arg(long, value_name = "ТОКЕН", help_heading = KEYS)]
    pub(super) token: Option<String>,
}

/// `rollback`
#[derive(Args, Debug)]
pub(super) struct Rollback {
    /// Версия, к которой вернуться
    #[arg(value_name = "ВЕРСИЯ", help_heading = NAMED, display_order = 1)]
    pub(super) version: Option<String>,
    /// Только показать, какие версии есть
    #[arg(long, help_heading = KEYS)]
    pub(super) list: bool,
    #[command(flatten)]
    pub(super) server: Server,
}

/// `drain`
#[derive(Args, Debug)]
pub(super) struct Drain {
    /// Начинать звонки снова
    #[arg(long, conflicts_with = "show", help_heading = KEYS)]
    pub(super) off: bool,
    /// Только показать, как сейчас
    #[arg(long, help_heading = KEYS)]
    pub(super) show: bool,
    /// Не ждать конца начатых звонков
    #[arg(long, conflicts_with_all = ["off", "show"], help_heading = KEYS)]
    pub(super) no_wait: bool,
    #[command(flatten)]
    pub(super) server: Server,
}

/// `definitions`
#[derive(Args, Debug)]
pub(super) struct Definitions {
    /// Таблицами по-русски (Markdown), а не для редактора
    #[arg(long, help_heading = KEYS)]
    pub(super) table: bool,
}

/// `serve`
#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Файл настроек; без ключа — govorun.yaml
    #[arg(short, long, value_name = "ФАЙЛ", default_value = "govorun.yaml", hide_default_value = true, help_heading = KEYS)]
    pub(super) config: PathBuf,
    /// Журнал строками (text) или по объекту JSON на строку (json)
    #[arg(long, value_name = "ВИД", default_value = "text", hide_default_value = true, value_parser = ["text", "json"], hide_possible_values = true, help_heading = KEYS)]
    pub(super) log: String,
}

/// `check`
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Файл настроек; без ключей — govorun.yaml, а если его нет — папка scripts
    #[arg(short, long, value_name = "ФАЙЛ", conflicts_with = "scripts", help_heading = KEYS)]
    pub(super) config: Option<PathBuf>,
    /// Только диалоги этой папки, без настроек
    #[arg(long, value_name = "ПАПКА", help_heading = KEYS)]
    pub(super) scripts: Option<PathBuf>,
    /// Ещё и спросить сами распознаватели и голоса: адрес, ключ, модель (у платного это стоит 15 секунд речи и одну фразу)
    #[arg(long, conflicts_with = "scripts", help_heading = KEYS)]
    pub(super) online: bool,
    /// Для редакторов: один объект JSON на всё
    #[arg(long, help_heading = KEYS)]
    pub(super) json: bool,
}

/// `doctor`
#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Файл настроек; без ключа — govorun.yaml
    #[arg(short, long, value_name = "ФАЙЛ", default_value = "govorun.yaml", hide_default_value = true, help_heading = KEYS)]
    pub(super) config: PathBuf,
    /// Один объект JSON на всё: sound, findings
    #[arg(long, help_heading = KEYS)]
    pub(super) json: bool,
}

/// `talk`
#[derive(Args, Debug)]
pub(super) struct Talk {
    /// Имя диалога: файл без .rhai
    #[arg(value_name = "ДИАЛОГ", help_heading = NAMED, display_order = 2)]
    pub(super) dialog: String,
    /// То, что дала бы 1С: имя=Анна время='завтра в десять'
    #[arg(value_name = "имя=значение", value_parser = param, help_heading = NAMED, display_order = 3)]
    pub(super) params: Vec<(String, String)>,
    /// Не ждать, пока робот говорит
    #[arg(long, help_heading = KEYS)]
    pub(super) fast: bool,
    /// Записать разговор как проверку с этим названием
    #[arg(long, value_name = "НАЗВАНИЕ", help_heading = KEYS)]
    pub(super) save: Option<String>,
    /// Папка диалогов; без ключа — scripts
    #[arg(long, value_name = "ПАПКА", default_value = "scripts", hide_default_value = true, help_heading = KEYS)]
    pub(super) scripts: PathBuf,
}

/// `test`
#[derive(Args, Debug)]
pub(super) struct Test {
    /// Диалоги, чьи проверки провести; без них — все
    #[arg(value_name = "ДИАЛОГ", help_heading = NAMED, display_order = 1)]
    pub(super) dialogs: Vec<String>,
    /// Сколько процентов строк и ответов проверки должны пройти
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100), help_heading = KEYS)]
    pub(super) min_coverage: Option<u32>,
    /// Записать итоги в файл XML для CI (JUnit)
    #[arg(long, value_name = "ФАЙЛ", help_heading = KEYS)]
    pub(super) junit: Option<PathBuf>,
    /// Папка диалогов; без ключа — scripts
    #[arg(long, value_name = "ПАПКА", default_value = "scripts", hide_default_value = true, help_heading = KEYS)]
    pub(super) scripts: PathBuf,
}

/// `replay`
#[derive(Args, Debug)]
pub(super) struct Replay {
    /// Номер звонка из 1С
    #[arg(value_name = "НОМЕР", conflicts_with = "all", help_heading = NAMED, display_order = 1)]
    pub(super) call: Option<String>,
    /// Все последние звонки этого диалога: сколько кончилось бы иначе
    #[arg(long, value_name = "ДИАЛОГ", help_heading = KEYS)]
    pub(super) all: Option<String>,
    /// Сколько последних; без ключа — 1000
    #[arg(long, value_name = "N", default_value_t = 1000, hide_default_value = true, help_heading = KEYS)]
    pub(super) last: usize,
    /// Файл настроек: в нём папка диалогов и файл истории; без ключа — govorun.yaml
    #[arg(short, long, value_name = "ФАЙЛ", default_value = "govorun.yaml", hide_default_value = true, help_heading = KEYS)]
    pub(super) config: PathBuf,
    /// Папка диалогов вместо той, что в настройках
    #[arg(long, value_name = "ПАПКА", help_heading = KEYS)]
    pub(super) scripts: Option<PathBuf>,
    /// Файл истории вместо того, что в настройках
    #[arg(long, value_name = "ФАЙЛ", help_heading = KEYS)]
    pub(super) store: Option<PathBuf>,
}

/// `export`
#[derive(Args, Debug)]
pub(super) struct Export {
    /// calls — звонки, по строке на звонок; events — все строки их историй
    #[arg(value_name = "ЧТО", value_parser = ["calls", "events"], hide_possible_values = true, help_heading = NAMED, display_order = 1)]
    pub(super) what: String,
    /// Первый день: 2026-11-01
    #[arg(long, value_name = "ДАТА", value_parser = day, help_heading = KEYS)]
    pub(super) from: Option<jiff::civil::Date>,
    /// Последний день, он входит
    #[arg(long, value_name = "ДАТА", value_parser = day, help_heading = KEYS)]
    pub(super) to: Option<jiff::civil::Date>,
    /// Только звонки этого диалога
    #[arg(long, value_name = "ДИАЛОГ", help_heading = KEYS)]
    pub(super) dialog: Option<String>,
    /// csv (для Excel) или jsonl (по объекту JSON на строку); без ключа — csv
    #[arg(long, value_name = "ВИД", default_value = "csv", hide_default_value = true, value_parser = ["csv", "jsonl"], hide_possible_values = true, help_heading = KEYS)]
    pub(super) format: String,
    /// Какие данные диалога вынести в свои столбцы CSV: имена через запятую
    #[arg(long, value_name = "ИМЕНА", help_heading = KEYS)]
    pub(super) data: Option<String>,
    /// Файл, в который писать; без ключа — на экран
    #[arg(short, long, value_name = "ФАЙЛ", help_heading = KEYS)]
    pub(super) out: Option<PathBuf>,
    /// Файл настроек: в нём файл истории; без ключа — govorun.yaml
    #[arg(short, long, value_name = "ФАЙЛ", default_value = "govorun.yaml", hide_default_value = true, help_heading = KEYS)]
    pub(super) config: PathBuf,
    /// Файл истории вместо того, что в настройках
    #[arg(long, value_name = "ФАЙЛ", help_heading = KEYS)]
    pub(super) store: Option<PathBuf>,
}

fn day(text: &str) -> Result<jiff::civil::Date, String> {
    text.parse()
        .map_err(|_| "нужна дата вида 2026-11-29".to_owned())
}

/// `understand`
#[derive(Args, Debug)]
pub(super) struct Understand {
    /// Что сказал человек; - значит по строке со стандартного ввода
    #[arg(value_name = "СКАЗАННОЕ", required = true, allow_negative_numbers = true, help_heading = NAMED, display_order = 1)]
    pub(super) text: Vec<String>,
    /// По объекту JSON на строку
    #[arg(long, help_heading = KEYS)]
    pub(super) json: bool,
    /// Ответы этого диалога; без ключей — только готовые
    #[arg(long, value_name = "ДИАЛОГ", help_heading = KEYS)]
    pub(super) dialog: Option<String>,
    /// Папка диалогов с phrases.yaml; с --dialog без этого ключа — scripts
    #[arg(long, value_name = "ПАПКА", help_heading = KEYS)]
    pub(super) scripts: Option<PathBuf>,
    /// Когда это сказано: 2026-11-25T12:00, можно со сдвигом +03:00; без ключа — сейчас
    #[arg(long, value_name = "ВРЕМЯ", help_heading = KEYS)]
    pub(super) now: Option<String>,
    /// Часовой пояс человека: Europe/Moscow; без ключа — пояс этой машины
    #[arg(long, value_name = "ПОЯС", help_heading = KEYS)]
    pub(super) zone: Option<String>,
}

/// `call`
#[derive(Args, Debug)]
pub(super) struct Call {
    /// Номер: цифры и, если нужно, плюс впереди
    #[arg(value_name = "ТЕЛЕФОН", help_heading = NAMED, display_order = 1)]
    pub(super) phone: String,
    /// Имя диалога: файл без .rhai
    #[arg(value_name = "ДИАЛОГ", help_heading = NAMED, display_order = 2)]
    pub(super) dialog: String,
    /// Параметры диалога
    #[arg(value_name = "имя=значение", value_parser = param, help_heading = NAMED, display_order = 3)]
    pub(super) params: Vec<(String, String)>,
    #[command(flatten)]
    pub(super) server: Server,
    /// Свой номер заказа: повтор с тем же номером не закажет второго звонка
    #[arg(long, value_name = "НОМЕР", help_heading = KEYS)]
    pub(super) id: Option<String>,
}

/// `имя=значение`
fn param(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("нужно имя=значение, например name=Анна".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_table_of_arguments_is_sound_and_its_help_is_russian() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        let mut texts = vec![command.render_help().to_string()];
        for sub in command.get_subcommands_mut() {
            texts.push(sub.render_help().to_string());
        }
        for text in texts {
            for english in [
                "Usage",
                "Options",
                "Arguments",
                "Commands",
                "[default",
                "Print",
            ] {
                assert!(!text.contains(english), "{english} in:\n{text}");
            }
        }
    }

    #[test]
    fn parameters_are_names_and_values() {
        assert_eq!(param("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(param("a="), Ok(("a".into(), String::new())));
        assert!(param("abc").is_err() && param("=x").is_err());
    }
}
