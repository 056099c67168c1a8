//! What people say on the telephone, and what it must be taken for.

use super::*;

const ALL: &[&str] = &[];

fn lists(named: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    named
        .iter()
        .map(|(name, list)| {
            (
                (*name).to_owned(),
                list.iter().map(|p| (*p).to_owned()).collect(),
            )
        })
        .collect()
}

fn check(answers: &Answers, expected: &[&str], table: &[(&str, Option<&str>)]) {
    let mut wrong = Vec::new();
    for (text, expect) in table {
        let found = answers.understand(text, expected);
        if found.intent.as_deref() != *expect {
            wrong.push(format!(
                "{text:?}: wanted {expect:?}, found {:?}",
                found.candidates
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_confirmation_by_telephone() {
    check(
        &Answers::builtin(),
        &[
            "yes",
            "no",
            "later",
            "repeat",
            "operator",
            "wrong_person",
            "who_is_it",
            "stop_calling",
        ],
        &[
            ("да", Some("yes")),
            ("Да!", Some("yes")),
            ("да конечно", Some("yes")),
            ("да, приду", Some("yes")),
            ("да, подтверждаю", Some("yes")),
            ("да подтвержаю", Some("yes")),
            ("угу", Some("yes")),
            ("да, всё верно", Some("yes")),
            ("ну да приеду", Some("yes")),
            ("э ну вот приеду", Some("yes")),
            ("хорошо буду", Some("yes")),
            ("нет проблем", Some("yes")),
            ("да не вопрос", Some("yes")),
            ("почему бы и нет", Some("yes")),
            ("я не против", Some("yes")),
            ("согласна", Some("yes")),
            ("нет", Some("no")),
            ("не-а", Some("no")),
            ("неа", Some("no")),
            ("нет, не приду", Some("no")),
            ("нет, спасибо", Some("no")),
            ("не получится", Some("no")),
            ("отмените запись", Some("no")),
            ("не приеду", Some("no")),
            ("не ну не приеду я", Some("no")),
            ("да не приеду я", Some("no")),
            ("да нет не приеду", Some("no")),
            ("да нет", None),
            ("да нет наверное", None),
            ("нет, конечно", Some("no")),
            ("конечно нет", Some("no")),
            ("вряд ли приеду", Some("no")),
            ("не думаю что приеду", Some("no")),
            ("не очень удобно", None),
            ("не совсем верно", None),
            ("ни в коем случае", Some("no")),
            ("не смогу приехать", Some("no")),
            ("приеду завтра", Some("yes")),
            ("перезвоните позже", Some("later")),
            ("нет, перезвоните мне попозже", Some("later")),
            ("да, но не сегодня", Some("later")),
            ("перенесите на другое время", Some("later")),
            ("можно перенести на пятницу", Some("later")),
            ("давайте на следующей неделе", Some("later")),
            ("мне сейчас неудобно говорить", Some("later")),
            ("да не могу сейчас говорить", Some("later")),
            ("я за рулём", Some("later")),
            ("повторите пожалуйста", Some("repeat")),
            ("а можно ещё раз", Some("repeat")),
            ("вы не повторите?", Some("repeat")),
            ("алло, я вас не слышу", Some("repeat")),
            ("я не расслышал", Some("repeat")),
            ("соедините с оператором", Some("operator")),
            ("позовите человека", Some("operator")),
            ("дайте мне живого человека", Some("operator")),
            ("кто это говорит", Some("who_is_it")),
            ("а кто это", Some("who_is_it")),
            ("вы ошиблись номером", Some("wrong_person")),
            ("нет вы не туда попали", Some("wrong_person")),
            ("здесь таких нет", Some("wrong_person")),
            ("больше сюда не звоните", Some("stop_calling")),
            ("уберите меня из вашей базы", Some("stop_calling")),
            ("хватит мне звонить", Some("stop_calling")),
            ("алло", None),
            ("", None),
            ("ну", None),
            ("э, сейчас, подождите", None),
            ("погода", None),
            ("когда", None),
            ("дача", None),
            ("интернет", None),
            ("неудача", None),
            ("кабинет", None),
        ],
    );
}

/// What a real recognizer made of a synthetic voice: "да, приду", "нет, не приду", "позовите человека" ...
#[test]
fn misheard_words_do_no_harm() {
    check(
        &Answers::builtin(),
        ALL,
        &[
            ("да придут", Some("yes")),
            ("нет не придут", Some("no")),
            ("глаз", None),
            ("а то мне не заби", None),
            ("можно перенести на 5 нигсу", Some("later")),
            ("позавить и человека", Some("operator")),
            ("сыди ниче с упиратуром", None),
            ("в яши близьм номером", None),
            ("я опоздавил на полчаса", None),
            ("и сейчас подождите", None),
            ("алло я вас не слышу", Some("repeat")),
        ],
    );
}

#[test]
fn in_english() {
    check(
        &Answers::builtin(),
        ALL,
        &[
            ("Yes, of course.", Some("yes")),
            ("no problem", Some("yes")),
            ("No, thank you", Some("no")),
            ("I don't think so", Some("no")),
            ("not sure", None),
            ("no I can't", Some("no")),
            ("could you repeat that please", Some("repeat")),
            ("call me back later", Some("later")),
            ("I can't talk now", Some("later")),
            ("who's calling?", Some("who_is_it")),
            ("you've got the wrong number", Some("wrong_person")),
            ("let me talk to a human", Some("operator")),
            ("please stop calling me", Some("stop_calling")),
            ("please leave a message after the tone", Some("voicemail")),
            ("yesterday", None),
            ("know", None),
        ],
    );
}

#[test]
fn machines_that_answer() {
    check(
        &Answers::builtin(),
        ALL,
        &[
            (
                "здравствуйте вы позвонили оставьте ваше сообщение после звукового сигнала",
                Some("voicemail"),
            ),
            ("абонент временно недоступен", Some("voicemail")),
            (
                "аппарат абонента выключен или находится вне зоны действия сети",
                Some("voicemail"),
            ),
            ("вас приветствует голосовой помощник", Some("voicemail")),
        ],
    );
}

/// The lists of the dialogue that was matched by substrings before: "не приеду" held "приеду", "не готова, давайте" held "да".
#[test]
fn an_older_dialogue_s_lists_and_their_two_traps() {
    let answers = Answers::builtin()
        .overlaid(&lists(&[
            ("yes", &["да", "приеду", "согласен", "согласна"]),
            ("no", &["нет", "не приеду"]),
            (
                "перезапись",
                &["перезапишите", "перезаписать", "перезапись"],
            ),
        ]))
        .unwrap();
    check(
        &answers,
        &["yes", "no", "перезапись"],
        &[
            ("не приеду", Some("no")),
            ("нет не приеду", Some("no")),
            ("не готова, давайте", None),
            ("приеду", Some("yes")),
            ("да", Some("yes")),
            ("не согласен", None),
            ("не согласна", None),
            ("согласна", Some("yes")),
            ("перезапишите меня", Some("перезапись")),
            ("мне бы перезаписаться", Some("перезапись")),
            ("хорошо", None),
        ],
    );
    // What the file claims, the built-in "later" lost.
    check(&answers, ALL, &[("перезапишите", Some("перезапись"))]);
}

/// What an analyst wrote comes before what is built in: with the words around it, against an equal one, and where the same
/// words are no built-in answer.
#[test]
fn an_analysts_own_phrases_come_first() {
    let answers = Answers::builtin()
        .overlaid(&lists(&[
            ("move", &["перенести", "давайте в"]),
            ("ready", &["слушаю"]),
        ]))
        .unwrap();
    check(
        &answers,
        ALL,
        &[
            ("хочу перенести на пятницу", Some("move")),
            ("давайте в пятницу", Some("move")),
            ("перенесите на пятницу", Some("later")),
            ("да слушаю", Some("ready")),
        ],
    );
    check(&Answers::builtin(), ALL, &[("да слушаю", None)]);
}

#[test]
fn only_what_is_expected_counts_and_candidates_are_ordered() {
    let answers = Answers::builtin();
    let found = answers.understand("да, перезвоните позже", ALL);
    assert_eq!(found.intent.as_deref(), Some("later"));
    let names: Vec<_> = found
        .candidates
        .iter()
        .map(|m| (m.name.as_str(), m.words))
        .collect();
    assert_eq!(names, [("later", 2), ("yes", 1)]);
    let found = answers.understand("да, перезвоните позже", &["yes", "no"]);
    assert_eq!(found.intent.as_deref(), Some("yes"));
    let tie = answers.understand("да нет", ALL);
    assert_eq!((tie.intent, tie.candidates.len()), (None, 2));
}

#[test]
fn an_exact_word_beats_a_form_of_it() {
    let answers = Answers::builtin()
        .overlaid(&lists(&[("one", &["записать"]), ("many", &["записали"])]))
        .unwrap();
    check(
        &answers,
        &["one", "many"],
        &[("записали", Some("many")), ("записать", Some("one"))],
    );
}

#[test]
fn digits_are_told_beside_the_answer() {
    let found = Answers::builtin().understand("да, код один два три", &["yes"]);
    assert_eq!(found.intent.as_deref(), Some("yes"));
    assert_eq!(found.digits.unwrap().as_str(), "123");
}

#[test]
fn faults_of_a_list_are_told_together() {
    let faults = Answers::builtin()
        .overlaid(&lists(&[
            ("ye s", &["да"]),
            ("empty", &[]),
            ("words", &["...", "нет"]),
            ("again", &["Нет!"]),
            (
                "long",
                &["раз раз раз раз раз раз раз раз раз раз раз раз раз раз раз раз раз"],
            ),
        ]))
        .unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    for part in [
        "ye s",
        "no phrases",
        "\"...\" has no words",
        "17 words",
        "stands in",
    ] {
        assert!(told.iter().any(|t| t.contains(part)), "{part}: {told:?}");
    }
    assert_eq!(told.len(), 5, "{told:?}");
}

/// Words of each kind that stand in brackets, for phrases that are made of kinds.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("(когда)", &["завтра", "через час"]),
    ("(день)", &["в пятницу", "завтра"]),
    ("(приеду)", &["приеду", "оплатим"]),
    ("(приехать)", &["приехать", "оплатить"]),
    ("(имя)", &["анна", "сергей"]),
    ("(кто)", &["она", "муж", "сергей"]),
    ("(кого)", &["его", "мужа", "анны"]),
    ("(родня)", &["жена", "сын"]),
    ("(сотрудник)", &["оператора", "менеджеру"]),
    ("(фирма)", &["компания", "организации"]),
    ("(робот)", &["робот", "ботом"]),
    ("(здесь)", &["здесь", "тут"]),
    ("(говорить)", &["говорить", "разговаривать"]),
    ("(звонить)", &["звонить", "беспокоить"]),
    ("(позвоните)", &["позвоните", "перезвоните", "наберите"]),
    ("(занятие)", &["совещании", "уроке"]),
    ("(место)", &["метро", "поезде"]),
    ("(угроза)", &["жалобу", "суд"]),
    ("(сигнал)", &["сигнала", "гудка"]),
    ("(номер)", &["номер", "телефон"]),
    ("(вопрос)", &["сколько", "когда"]),
];

/// The phrase as it may be said: with a word for each kind.
fn said(phrase: &str) -> Vec<String> {
    let most = 3;
    let mut all: Vec<String> = (0..most)
        .map(|turn| {
            let words = phrase.split_whitespace().map(|word| {
                let kind = EXAMPLES.iter().find(|(kind, _)| *kind == word);
                kind.map_or(word, |(_, examples)| examples[turn % examples.len()])
            });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    all.dedup();
    all
}

/// Words and their forms: two built-in answers never claim the same.
#[test]
fn built_in_answers_do_not_claim_the_same() {
    let answers = Answers::builtin();
    let mut wrong = Vec::new();
    for (name, phrases) in &answers.book.named {
        for text in phrases.phrases.iter().flat_map(|phrase| said(&phrase.text)) {
            let found = answers.understand(&text, ALL);
            if found.intent.as_ref() != Some(name) {
                wrong.push(format!(
                    "{name}: {text}: {:?} {}",
                    found.intent,
                    found
                        .candidates
                        .iter()
                        .map(|one| format!("{} {:?}", one.name, one.phrase))
                        .collect::<Vec<_>>()
                        .join(", ")
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
